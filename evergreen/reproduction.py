"""The former place of `evergreen.governance.reproduction`; `reproduce --exact` runs it in the code of any release."""

import sys
from pathlib import Path

from evergreen.governance.reproduction import main

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
