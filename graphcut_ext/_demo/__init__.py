"""What ``python -m graphcut_ext demo`` shows."""
