"""Maximum-flow problems in files."""
