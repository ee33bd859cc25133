"""Commands called in this process, and what a user must never see of them."""

import re
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from evergreen import exit_codes
from evergreen.exit_codes import Exit
from tests.command_line import called

RAW = re.compile(  # what a library says, not we
    r"Traceback|0x[0-9a-f]{6}|<class |<function |object at |[A-Z]\w+ Error: |ArrowInvalid|ArrowTypeError|duckdb|_duckdb"
    r"|pyarrow\.|numpy\.|dtype=|unexpected keyword|NoneType|has no attribute|not subscriptable|unhashable|\bNaTType\b"
    r"|a fault of Evergreen"
)
_NEVER_SHOWN = (DeprecationWarning, PendingDeprecationWarning, ResourceWarning, ImportWarning)


@dataclass(frozen=True)
class Called:
    """A command's exit code, standard output, and the sentence with which it failed."""

    code: int
    out: str
    sentence: str


@dataclass
class Commands:
    """The commands of one table.

    Attributes
    ----------
    faults : list of str
        What does not hold, of the commands and of what else is found.
    steps : list of str
        The commands, with their exit codes and seconds of CPU.
    said : dict of str to str
        What each command said the last time.
    """

    faults: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, codes: tuple[int, ...], as_json: bool = False) -> Called:
        """Run a command as a user does; it must end in one of the codes, with a sentence where it fails."""
        start = time.process_time()
        try:
            with _as_a_user_sees() as seen:
                done = called(*words, *(["--json"] if as_json else []))
        except Exception:
            self.steps.append(f"{' '.join(words)}: traceback")
            self.faults.append(f"{words[0]}: {traceback.format_exc()}")
            return Called(Exit.FAILED, "", "a traceback")
        self.steps.append(f"{' '.join(words)}: {done.returncode} in {time.process_time() - start:.2f} s of CPU")
        result = Called(done.returncode, done.stdout, _sentence(done.stderr) if done.returncode else "")
        if seen:
            self.faults.append(f"{words[0]} shows: {seen[0]}")
        if done.returncode not in codes:
            self.faults.append(f"{words[0]} ends with {done.returncode}: {done.stderr}{done.stdout}")
        elif done.returncode == Exit.FAILED and (problem := _wrong(done.stderr)):
            self.faults.append(f"{words[0]}: {problem}: {done.stderr}")
        elif found := RAW.search(done.stderr):
            self.faults.append(f"{words[0]} says {found[0]!r}: {done.stderr}")
        self.said[words[0]] = result.sentence or _one_line(done.stdout)
        return result


@contextmanager
def _as_a_user_sees() -> Iterator[list[str]]:
    """The warnings that Python shows by default, and what libraries log, as a user would see them."""
    seen: list[str] = []
    with warnings.catch_warnings(record=True) as caught, pytest.MonkeyPatch.context() as patch:
        patch.setattr(exit_codes, "_of_ours", lambda error: seen.append(_traceback(error)) or "a fault of Evergreen.")
        warnings.resetwarnings()
        warnings.simplefilter("always")
        for kind in _NEVER_SHOWN:
            warnings.simplefilter("ignore", kind)
        yield seen
    seen += [f"{warning.category.__name__}: {warning.message} ({warning.filename})" for warning in caught]


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _sentence(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith("Error: ")]
    return lines[-1].removeprefix("Error: ") if lines else _one_line(stderr)


def _wrong(stderr: str) -> str:
    """Why what a failed command says is no sentence that tells what to do; empty if it is one."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("Error: ")]
    if len(errors) != 1:
        return f"{len(errors)} sentences"
    if found := RAW.search(stderr):
        return f"the text of a library, {found[0]!r}"
    if len(lines) > 1:
        return "more than a sentence"
    if len(errors[0]) < 30 or errors[0][-1] not in ".)'`":
        return "no whole sentence"
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
