"""``python -m dgcn``: the command line."""

import sys

from dgcn.cli import main

sys.exit(main())
