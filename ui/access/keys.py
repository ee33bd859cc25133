"""The keys of persons: a file of lines, each the SHA-256 of a key, a role, and the name of a person."""

import logging
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from evergreen.errors import RunningError
from serving.http.keys import digest_of
from ui.access.rules import KEYS_FILE
from ui.access.visitor import Role

_DIGEST = 64  # letters
_ROLES = {role.word: role for role in Role}


@dataclass(frozen=True)
class Holder:
    """Who has a key.

    Attributes
    ----------
    name : str
    role : Role
    digest : str
        The SHA-256 of the key.
    """

    name: str
    role: Role
    digest: str


def new_key(name: str, role: str) -> tuple[str, str]:
    """A new key for a person, and its line for the file."""
    key = secrets.token_urlsafe(32)
    return key, f"{digest_of(key)} {_ROLES[role].word} {' '.join(name.split())}"


def holders(path: Path) -> dict[str, Holder]:
    """Who has which key, by its SHA-256.

    Raises
    ------
    RunningError
        The file cannot be read, a line has another form, or there is none.
    """
    found, problem = _read(path)
    if problem:
        raise RunningError(problem)
    return found


def _read(path: Path) -> tuple[dict[str, Holder], str]:
    """Who has which key by the lines that can be read, and why others give none; nothing that stands in a line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return {}, f"{KEYS_FILE} names {path}, which cannot be read: {error}."
    lines = {number: line.partition("#")[0].split() for number, line in enumerate(text.splitlines(), 1)}
    found = {number: _holder(words) for number, words in lines.items() if words}
    wrong = ", ".join(str(number) for number, holder in found.items() if holder is None)
    if wrong:  # what stands there may be a key itself, so that it is not repeated
        problem = (
            f"Invalid line in {path}, which {KEYS_FILE} names: line {wrong}. A line holds the SHA-256 of a key, then "
            "viewer, operator or approver, then a name. `evergreen key --person NAME` makes one."
        )
    else:
        problem = f"{KEYS_FILE} names {path}, which has no key. `evergreen key --person NAME` makes a line."
    holders = {holder.digest: holder for holder in found.values() if holder}
    return holders, problem if wrong or not holders else ""


def _holder(words: list[str]) -> Holder | None:
    """Who has the key of a line; None if the line has another form."""
    digest, role, *name = [*words, "", ""][: max(len(words), 2)]
    if len(digest) != _DIGEST or set(digest.lower()) - set("0123456789abcdef") or role not in _ROLES or not name:
        return None
    return Holder(" ".join(name), _ROLES[role], digest.lower())


@dataclass
class KeyRing:
    """The keys of a file, read again when it changes; none while it cannot be read.

    A line of another form gives no key; the others do. What is wrong is in the log, for the person who runs the UI.

    Attributes
    ----------
    path : Path
    are_away : bool
        Whether there is no key at all, as the file cannot be read.
    """

    path: Path
    are_away: bool = False
    _holders: dict[str, Holder] = field(default_factory=dict)
    _state: tuple[int, ...] | None = None

    def holder(self, digest: str) -> Holder | None:
        """Who has the key of a digest now."""
        state = self._touched()
        if state != self._state:
            self._holders, problem = _read(self.path)
            self.are_away, self._state = not self._holders, state
            if problem:
                logging.getLogger(__name__).error("%s", problem)
        return self._holders.get(digest)

    def _touched(self) -> tuple[int, ...]:
        try:
            status = self.path.stat()
        except OSError:
            return ()
        return status.st_mtime_ns, status.st_size, status.st_ino
