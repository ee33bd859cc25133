"""The keys of persons: a file of lines, each the SHA-256 of a key, a role, and the name of a person."""

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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunningError(f"{KEYS_FILE} names {path}, which cannot be read: {error}.") from error
    found = [_holder(words) for words in (line.partition("#")[0].split() for line in text.splitlines()) if words]
    if not found:
        raise RunningError(f"{KEYS_FILE} names {path}, which has no key. `evergreen key --person NAME` makes a line.")
    return {holder.digest: holder for holder in found}


def _holder(words: list[str]) -> Holder:
    digest, role, *name = [*words, "", ""][: max(len(words), 2)]
    if len(digest) != _DIGEST or set(digest.lower()) - set("0123456789abcdef") or role not in _ROLES or not name:
        raise RunningError(
            f"Invalid line in the file that {KEYS_FILE} names: {' '.join(words)[:24]!r}... A line holds the SHA-256 "
            "of a key, then viewer, operator or approver, then a name. `evergreen key --person NAME` makes one."
        )
    return Holder(" ".join(name), _ROLES[role], digest.lower())


@dataclass
class KeyRing:
    """The keys of a file, read again when it changes; none while it cannot be read.

    Attributes
    ----------
    path : Path
    problem : str
        Why there is no key; empty if there are.
    """

    path: Path
    problem: str = ""
    _holders: dict[str, Holder] = field(default_factory=dict)
    _state: tuple[int, ...] | None = None

    def holder(self, digest: str) -> Holder | None:
        """Who has the key of a digest now."""
        state = self._touched()
        if state != self._state:
            try:
                self._holders, self.problem = holders(self.path), ""
            except RunningError as error:
                self._holders, self.problem = {}, str(error)
            self._state = state
        return self._holders.get(digest)

    def _touched(self) -> tuple[int, ...]:
        try:
            status = self.path.stat()
        except OSError:
            return ()
        return status.st_mtime_ns, status.st_size, status.st_ino
