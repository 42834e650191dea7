"""`python -m depthnet` is the `depthnet` command."""

import sys

from depthnet.cli import main

if __name__ == "__main__":
    sys.exit(main())
