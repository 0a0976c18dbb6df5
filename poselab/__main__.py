"""``python -m poselab``: the command line where no script of it is installed."""

import sys

from poselab.cli import main

if __name__ == "__main__":
    sys.exit(main())
