"""Run the commands of the tutorial in their order, and compare what they print with what the page says.

`python -m docs.run_tutorial` runs them in a new folder and writes what they printed into the page.
A page holds three kinds of block that are run: ``console`` (lines that begin with ``$`` are commands, the
others are what they printed), ``python`` or ``json`` with a title (a file), ``diff`` with a title (an edit).
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PAGE = CHECKOUT / "docs" / "tutorial" / "first-hour.md"
_BLOCK = re.compile(
    r'^```(?P<kind>console|python|json|diff)(?: title="(?P<title>[^"]+)")?\n(?P<body>.*?)^```$', re.M | re.S
)
_PORT = "8100"  # the port on the page
_SERVE = "evergreen serve"
# What differs between two runs: times, ids and figures. Rules and spaces of tables follow their widths.
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?%?")
_BATCH_ID = re.compile(r"\b\d{8}T\d{6}-[0-9a-f]{4,}\b")
_HASH = re.compile(r"\b[0-9a-f]{8,}\b")


@dataclass(frozen=True)
class Command:
    """A command of a page and what the page says that it prints."""

    line: str
    printed: str


@dataclass(frozen=True)
class Block:
    """A block that is run, with its place in the text of the page."""

    kind: str
    title: str
    body: str
    start: int
    end: int

    def commands(self) -> list[Command]:
        """The commands of a ``console`` block."""
        parts = re.split(r"^\$ ", self.body, flags=re.MULTILINE)[1:]
        split = (part.partition("\n") for part in parts)
        return [Command(line, printed.rstrip("\n")) for line, _, printed in split]


def blocks(text: str) -> list[Block]:
    """The blocks of a page that are run."""
    return [
        Block(match["kind"], match["title"] or "", match["body"], match.start("body"), match.end("body"))
        for match in _BLOCK.finditer(text)
        if match["kind"] == "console" or match["title"]
    ]


def masked(printed: str) -> list[str]:
    """The words of an output without what differs between runs.

    Examples
    --------
    >>> masked("batch 20130201T000000-e90c  26,865 rows")
    ['batch', '#', '#', 'rows']
    """
    words = printed
    for pattern in (_BATCH_ID, _HASH, _NUMBER):
        words = pattern.sub("#", words)
    return re.sub(r"#(?:[-:.TZ/]*#)*", "#", words).split()


@dataclass
class Shell:
    """A shell whose folder and variables last from command to command, and one service beside it."""

    folder: Path
    port: int
    service: "subprocess.Popen[str] | None" = None
    state: Path = field(init=False)

    def __post_init__(self) -> None:
        self.state = self.folder / ".shell"
        self.state.write_text(f"export LOGNAME=you\ncd '{self.folder}'\n")

    def run(self, line: str) -> str:
        """Run a command; what it printed, with the addresses of the page."""
        line = line.replace(_PORT, str(self.port))
        if line.startswith(_SERVE):
            return self._shown(self._serve(f"{line} --port {self.port}"))
        keep = f"{{ export -p; echo \"cd '$PWD'\"; }} > {self.state}.new; mv {self.state}.new {self.state}"
        script = f". {self.state}\n{line}\n{keep}"
        done = subprocess.run(  # noqa: S603
            ["/bin/bash", "-c", script], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        return self._shown(done.stdout)

    def write(self, block: Block) -> None:
        """Write the file of a block, or edit it."""
        path = self._where() / block.title
        if block.kind != "diff":
            path.write_text(block.body)
            return
        text = path.read_text()
        for old, new in _edits(block.body):
            if text.count(old) != 1:
                raise ValueError(
                    f"{block.title} holds {text.count(old)} times {old!r}; write the edit of the page anew."
                )
            text = text.replace(old, new)
        path.write_text(text)

    def stop(self) -> None:
        """Stop the service."""
        if self.service and self.service.poll() is None:
            os.killpg(self.service.pid, signal.SIGINT)
            self.service.wait(timeout=60)

    def _where(self) -> Path:
        line = self.state.read_text().splitlines()[-1]
        return Path(line.removeprefix("cd '").removesuffix("'"))

    def _serve(self, line: str) -> str:
        self.service = subprocess.Popen(  # noqa: S603
            ["/bin/bash", "-c", f". {self.state}\nexec {line}"],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self.service.stdout
        printed = self.service.stdout.readline()
        self._wait()
        return printed

    def _wait(self) -> None:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise TimeoutError("The prediction service did not answer within a minute.")

    def _shown(self, printed: str) -> str:
        shown = "\n".join(line.rstrip() for line in printed.splitlines())
        return shown.replace(f":{self.port}", f":{_PORT}").replace(str(self.folder), "/home/you/evergreen").strip("\n")


def _edits(diff: str) -> Iterator[tuple[str, str]]:
    lines = diff.splitlines()
    for old, new in zip(lines[::2], lines[1::2], strict=True):
        if not (old.startswith("-") and new.startswith("+")):
            raise ValueError(f"An edit is a line with - and the next with +, not {old!r} and {new!r}.")
        yield old[1:], new[1:]


def run(text: str, folder: Path, port: int) -> Iterator[tuple[Block, list[tuple[Command, str]]]]:
    """Run the blocks of a page; of each block its commands and what they printed."""
    shell = Shell(folder, port)
    try:
        for block in blocks(text):
            if block.kind != "console":
                shell.write(block)
                yield block, []
            else:
                yield block, [(command, shell.run(command.line)) for command in block.commands()]
    finally:
        shell.stop()


def rewritten(text: str, folder: Path, port: int) -> str:
    """The page with what its commands printed now."""
    written = list(run(text, folder, port))
    for block, printed in reversed(written):
        if block.kind == "console":
            body = "".join(
                f"$ {command.line}\n{output}\n" if output else f"$ {command.line}\n" for command, output in printed
            )
            text = text[: block.start] + body + text[block.end :]
    return text


def main() -> None:
    """Write what the commands print now into the page."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8199
    with tempfile.TemporaryDirectory(prefix="first-hour-") as folder:
        PAGE.write_text(rewritten(PAGE.read_text(), Path(folder), port))


if __name__ == "__main__":
    main()
