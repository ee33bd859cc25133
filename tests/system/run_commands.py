"""Run commands with the code of another checkout, each as its entry point does; print what came of them as JSON.

    python -P tests/system/run_commands.py CHECKOUT '[["status", "--json"], ...]'

The checkout's packages come before those that are installed.
"""

import contextlib
import io
import json
import sys
from typing import Any
from unittest import mock


def main() -> None:
    """Print a list: exit code, output and errors of each command."""
    sys.path.insert(0, sys.argv[1])
    print(json.dumps([_done(words) for words in json.loads(sys.argv[2])]))


def _done(words: list[str]) -> dict[str, Any]:
    from cli.main import main as run

    code, out, err = 0, io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["evergreen", *words]),
    ):
        try:
            run()
        except SystemExit as end:
            code = int(end.code or 0)
    return {"words": words, "code": code, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    main()
