"""Run commands, each as its entry point does; print what came of them as JSON.

    PYTHONPATH=CHECKOUT python -P tests/system/run_commands.py '[["status", "--json"], ...]'

So the code of another checkout runs, also in the processes that the commands start. This imports nothing else of it.
"""

import contextlib
import io
import json
import sys
from typing import Any
from unittest import mock


def main() -> None:
    """Print a list: exit code, output and errors of each command."""
    print(json.dumps([_done(words) for words in json.loads(sys.argv[1])]))


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
