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
    print(json.dumps([run(words) for words in json.loads(sys.argv[1])]))


def run(words: list[str]) -> dict[str, Any]:
    """Run one command; its words, exit code, output and errors."""
    from cli.main import main as evergreen

    code, out, err = 0, io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["evergreen", *words]),
    ):
        try:
            evergreen()
        except SystemExit as end:
            code = int(end.code or 0)
    return {"words": words, "code": code, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    main()
