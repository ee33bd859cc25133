"""The entry point of `evergreen`: it takes Ctrl-C before the command line, and all that belongs to it, is imported.

Once all is written the process ends at once. Python would first take apart all that was imported, which takes up to
seconds on a busy machine, where Ctrl-C has no effect or changes the exit code.
"""

import atexit
import os
import sys

from evergreen import ctrl_c

_code: int | None = None  # None for an end that is Python's to report


def main() -> None:
    """Run the command line."""
    global _code
    atexit.register(_end)  # the first to be registered, so that it is the last to run
    ctrl_c.begin()
    try:
        from cli.main import main as run

        run()
        _code = 0
    except KeyboardInterrupt:
        ctrl_c.leave()
    except SystemExit as end:
        _code = end.code if isinstance(end.code, int) else 0 if end.code is None else None
        raise
    finally:
        ctrl_c.finish()


def _end() -> None:
    """End the process, unless what it has printed cannot be written."""
    if _code is None:
        return
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # its reader has gone
        return
    os._exit(_code)


if __name__ == "__main__":
    main()
