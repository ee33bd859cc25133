"""The log of releases of an environment: which commit was put in force when, by whom, and what its check found.

It lies beside the tables of the lake, so that another environment that reads the lake's folder can ask it.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from evergreen.errors import LakeError, PromotionError, translated
from evergreen.files import replacing_stored
from evergreen.json_record import JsonRecord
from evergreen.lake import stored_files
from evergreen.settings import FOUR_EYES, four_eyes

_RELEASES = "_releases"  # beside the tables
_APPROVALS, _REQUESTS = f"{_RELEASES}/approvals", f"{_RELEASES}/requests"


@dataclass(frozen=True)
class Trial:
    """What the environment before found of a release's version, as shadow or canary beside its champion.

    Attributes
    ----------
    model, version : str
    against : str
        The number of that champion.
    rows : int
        How many it was judged on.
    decision : str
        The verdict of the gates.
    reason : str
        Why, in one sentence.
    """

    model: str
    version: str
    against: str
    rows: int
    decision: str
    reason: str


@dataclass(frozen=True)
class Entry(JsonRecord):
    """One release that was put in force.

    Attributes
    ----------
    at : str
        ISO 8601, UTC; later than that of the entry before (:func:`next_at`), as entries are ordered by it.
    commit : str
    act : {"deploy", "back"}
    by : str
        The person.
    models : list of str
        Whose files were loaded and checked with it.
    smoke : bool
        Whether their contracts and small trainings were run with it, too.
    trials : list of Trial
        What was asked of the environment before, and found there; empty where nothing was asked.
    """

    at: str
    commit: str
    act: Literal["deploy", "back"]
    by: str
    models: list[str]
    smoke: bool = False
    trials: list[Trial] = field(default_factory=list)


@dataclass(frozen=True)
class Request(JsonRecord):
    """A release that has passed its checks, and waits for a person's approval.

    Attributes
    ----------
    at : str
        ISO 8601, UTC.
    commit : str
    by : str
        Who deploys it.
    models : list of str
        Whose files were loaded and checked.
    trials : list of Trial
        As of an entry.
    """

    at: str
    commit: str
    by: str
    models: list[str] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)


@dataclass(frozen=True)
class Approval(JsonRecord):
    """A person's approval of a release.

    Attributes
    ----------
    at : str
        ISO 8601, UTC.
    commit : str
    by, reason : str
    """

    at: str
    commit: str
    by: str
    reason: str


def append(lake: str, entry: Entry) -> None:
    """Add an entry.

    Raises
    ------
    LakeError
        The lake cannot be written to.
    """
    _write(lake, _RELEASES, f"{_stamp(entry.at)}-{entry.commit[:12]}-{entry.act}.json", entry)


def ask(lake: str, request: Request) -> None:
    """Note that a release waits for approval; once, however often it is deployed meanwhile.

    Raises
    ------
    LakeError
        The lake cannot be written to.
    """
    there = waiting(lake)
    if there is None or there.commit != request.commit:
        _write(lake, _REQUESTS, f"{_stamp(request.at)}-{request.commit[:12]}.json", request)


def waiting(lake: str) -> Request | None:
    """The release that waits for approval: the newest that does, unless one came into force since.

    Raises
    ------
    LakeError
        The lake cannot be read.
    """
    requests = list(map(Request.parse, _texts(lake, _REQUESTS)))
    if not requests or is_approved(lake, requests[-1].commit):
        return None
    return None if any(entry.at > requests[-1].at for entry in read(lake)) else requests[-1]


def approve(lake: str, approval: Approval) -> None:
    """Add an approval.

    Raises
    ------
    PromotionError
        The settings ask for four eyes, and the person deploys the release: asked for its approval, or nobody did.
    LakeError
        The lake cannot be written to.
    """
    if four_eyes() and not is_approved(lake, approval.commit) and _deployer(lake, approval) == approval.by:
        raise PromotionError(
            f"{approval.by} deploys release {approval.commit[:10]}, and {FOUR_EYES} asks for two persons. Deploy it "
            "without an approval, so that it waits, and let somebody else approve it."
        )
    _write(lake, _APPROVALS, f"{_stamp(approval.at)}-{approval.commit[:12]}.json", approval)


def _deployer(lake: str, approval: Approval) -> str:
    """Who asked for an approval; where nobody did, who gives it deploys the release with the same command."""
    asked = waiting(lake)
    return asked.by if asked and asked.commit == approval.commit else approval.by


def read(lake: str) -> list[Entry]:
    """All entries, oldest first.

    Raises
    ------
    LakeError
        The lake cannot be read.
    """
    return list(map(Entry.parse, _texts(lake, _RELEASES)))


def approvals(lake: str) -> list[Approval]:
    """All approvals, oldest first.

    Raises
    ------
    LakeError
        The lake cannot be read.
    """
    return list(map(Approval.parse, _texts(lake, _APPROVALS)))


def is_approved(lake: str, commit: str) -> bool:
    """Whether a person has approved a release.

    Raises
    ------
    LakeError
        The lake cannot be read.
    """
    return any(approval.commit == commit for approval in approvals(lake))


def _stamp(at: str) -> str:
    return at.replace(":", "").replace("+0000", "Z")


def _write(lake: str, folder: str, name: str, record: JsonRecord) -> None:
    with translated(LakeError, f"Cannot log a release in {lake}: {{reason}}."):
        files, root = stored_files.opened(lake)
        files.makedirs(f"{root}/{folder}", exist_ok=True)
        with replacing_stored(files, f"{root}/{folder}/{name}") as file:
            file.write(record.dump())


def _texts(lake: str, folder: str) -> list[str]:
    """The records of a folder, by their names, which begin with their time."""
    with translated(LakeError, f"Cannot read the releases in {lake}: {{reason}}."):
        files, root = stored_files.opened(lake)
        files.invalidate_cache()
        if not files.exists(f"{root}/{folder}"):
            return []
        found = sorted(path for path in files.ls(f"{root}/{folder}", detail=False) if str(path).endswith(".json"))
        return [files.cat_file(path).decode() for path in found]


def next_at(entries: list[Entry], now: datetime) -> str:
    """The time of the next entry: now, but after all others, whose machines may have had clocks that were ahead.

    Examples
    --------
    >>> ahead = Entry("2026-01-02T08:00:00.000000+00:00", "a", "deploy", "a", [])
    >>> now = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    >>> next_at([ahead], now), next_at([], now)
    ('2026-01-02T08:00:00.000001+00:00', '2026-01-01T00:00:00.000000+00:00')
    """
    last = [datetime.fromisoformat(entry.at) + timedelta(microseconds=1) for entry in entries[-1:]]
    return max([now, *last]).isoformat(timespec="microseconds")


def before(entries: list[Entry], commit: str) -> str:
    """The commit that was in force before one that is now; empty if there was none.

    Examples
    --------
    >>> entries = [Entry(str(at), commit, "deploy", "a", []) for at, commit in enumerate("abbc")]
    >>> before(entries, "c"), before(entries, "b"), before(entries, "a")
    ('b', 'a', '')
    """
    place = max((place for place, entry in enumerate(entries) if entry.commit == commit), default=0)
    return next((entry.commit for entry in reversed(entries[:place]) if entry.commit != commit), "")
