"""``python -m pysctpstack``: the same as the ``pysctp`` command."""

import sys

from pysctpstack.cli import main

if __name__ == "__main__":
    sys.exit(main())
