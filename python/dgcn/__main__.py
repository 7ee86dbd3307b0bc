"""``dgcn`` and ``python -m dgcn``: the command line, or what has to be installed for it."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; the exit status is that of `dgcn.cli.main`, or 2."""
    try:
        from dgcn.cli import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "dgcn":
            raise
        print(
            f"dgcn: error: {error.name} is not installed; training needs "
            "pip install 'graphcut-ext[train]'",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:  # while the modules are read
        print("dgcn: error: interrupted", file=sys.stderr)
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
