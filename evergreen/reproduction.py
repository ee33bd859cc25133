"""The former name of `evergreen.governance.reproduction`; other releases run it as a module."""

import sys
from pathlib import Path

from evergreen.governance.reproduction import main

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
