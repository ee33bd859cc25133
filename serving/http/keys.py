"""The API keys, as the environment and the file that it names hold them."""

import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evergreen.errors import RunningError

KEYS, KEYS_FILE = "EVERGREEN_KEYS", "EVERGREEN_KEYS_FILE"
ALL = "*"


def new_key(models: list[str]) -> tuple[str, str]:
    """A new API key, and its line for the file of keys. It allows all models if none is named."""
    key = secrets.token_urlsafe(32)
    return key, f"{digest_of(key)} {' '.join(models) or ALL}"


@dataclass(frozen=True)
class Keys:
    """The API keys as they are now.

    Attributes
    ----------
    allowed : dict of str to frozenset of str
        The models of each key, by the key's SHA-256.
    required : bool
        Whether a request needs a key. It stays so where the file of keys is empty or gone.
    problem : str
        Why a line or the file gives no key; empty if everything could be read.
    """

    allowed: dict[str, frozenset[str]]
    required: bool
    problem: str = ""

    @classmethod
    def read(cls) -> "Keys":
        """Read the keys from the environment and the file that it names.

        A line holds the digest and then the models, ``*`` for all. In the environment, semicolons may
        separate lines. Text after # is a comment. A line of another form gives no key; the others do.
        """
        path, problem = os.environ.get(KEYS_FILE), ""
        text = os.environ.get(KEYS, "").replace(";", "\n")
        required = bool(path or text.strip())
        if path:
            try:
                text += "\n" + Path(path).read_text()
            except (OSError, UnicodeDecodeError) as error:
                problem = f"{KEYS_FILE} names {path}, which cannot be read: {error}."
        allowed = {}
        for words in filter(None, (line.split("#")[0].split() for line in text.splitlines())):
            try:
                digest, models = _parse_line(words)
                allowed[digest] = models
            except RunningError as error:
                problem = str(error)
        if required and not allowed and not problem:
            place = f"{KEYS_FILE} names {path}, which" if path else KEYS
            problem = f"{place} has no key. Add a line with `evergreen key`, or unset the variable."
        return cls(allowed, required, problem)


def read_keys() -> dict[str, frozenset[str]]:
    """The models of each key, by the key's SHA-256; empty if no keys are configured.

    Raises
    ------
    RunningError
        The file cannot be read, no key is in what is configured, or a line has another form.
    """
    keys = Keys.read()
    if keys.problem:  # a file without keys must not open the service to everybody
        raise RunningError(keys.problem)
    return keys.allowed


@dataclass
class KeyWatch:
    """Alerts a person when configured keys can no longer be read, once for each problem.

    Parameters
    ----------
    alert : callable
        Called with a subject, a text and ``"serve"``.
    """

    alert: Callable[[str, str, str], object]
    _problem: str = ""

    def run_once(self) -> None:
        """Look at the keys."""
        problem, before = Keys.read().problem, self._problem
        self._problem = problem
        if problem and problem != before:
            self.alert("API keys cannot be read, and requests with such keys are refused", problem, "serve")


def _parse_line(words: list[str]) -> tuple[str, frozenset[str]]:
    digest, *models = words
    if len(digest) != 64 or set(digest.lower()) - set("0123456789abcdef") or not models:
        raise RunningError(
            f"Invalid line of API keys: {' '.join(words)[:24]!r}... A line holds the SHA-256 of a key, then the models "
            "that it may use, or *. Run `evergreen key MODEL` to create a key and its line."
        )
    return digest.lower(), frozenset(models)


def digest_of(key: str) -> str:
    """The SHA-256 of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def keys_file() -> Path | None:
    """The file of keys; None if none is named."""
    path = os.environ.get(KEYS_FILE)
    return Path(path) if path else None


def file_state() -> tuple[int, ...]:
    """What changes when the file of keys is changed, replaced or gone."""
    path = keys_file()
    try:
        status = path.stat() if path else None
    except OSError:
        return (-1,)
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status else ()
