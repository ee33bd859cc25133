"""Where `evergreen` and `python -m evergreen` begin: below all layers, so that no other package can take its place."""

import sys
from importlib import import_module

from evergreen.errors import ProjectError
from evergreen.project import check_packages


def main() -> None:
    """Run the command line, unless a package of another's hides Evergreen's own."""
    try:
        check_packages()
    except ProjectError as error:
        sys.exit(f"Error: {error}")
    import_module("cli.__main__").main()


if __name__ == "__main__":
    main()
