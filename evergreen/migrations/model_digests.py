"""To format 2: every version records the SHA-256 of its stored model, as trainings of today do."""

from collections.abc import Iterator, Sequence

from evergreen.lake import audit_log
from evergreen.migrations.migration import Change, Migration, Note
from evergreen.registry.version import Version
from evergreen.stores import Stores

_DETAIL = "stored_hash"  # of the audit log's line


def pending(stores: Stores, models: Sequence[str]) -> Iterator[Change]:
    """The versions that record none."""
    for model in models:
        if lacking := _lacking(stores, model):
            yield Change(model, _counted(lacking), "the SHA-256 of the stored model is recorded")


def apply(stores: Stores, change: Change, note: Note) -> str:
    """Record that of a model's versions as their files are now, or as a run that was interrupted has noted them."""
    lacking = _lacking(stores, change.model)
    noted = _noted(stores, change.model)  # after: of what another home has recorded meanwhile, a line is there by now
    others = [version for version in lacking if version.number not in noted]
    found = {version.number: digest for version in others if (digest := stores.registry.digest(version))}
    if found:
        note({_DETAIL: found})
    digests = noted | found
    for version in lacking:
        if version.number in digests:
            stores.registry.tag(version, stored_hash=digests[version.number])
    gone = [version for version in lacking if version.number not in digests]
    return f"{_counted(gone)}: the files are gone" if gone else ""


def _noted(stores: Stores, model: str) -> dict[str, str]:
    """What the audit log says of versions, by their numbers."""
    details = [line.details for line in audit_log.read(stores.lake, model) if line.act == "migration"]
    return {number: digest for detail in details for number, digest in detail.get(_DETAIL, {}).items()}


def _lacking(stores: Stores, model: str) -> list[Version]:
    """Oldest first; versions that others than Evergreen registered are none of its state."""
    oldest_first = reversed(stores.registry.versions(model))
    return [version for version in oldest_first if version.recorded and not version.stored_hash]


def _counted(versions: Sequence[Version]) -> str:
    first, last = versions[0].number, versions[-1].number
    return f"version {first}" if len(versions) == 1 else f"{len(versions)} versions, {first} to {last}"


MIGRATION = Migration(
    to=2,
    title="Every version records the SHA-256 of its stored model",
    why=(
        "Versions of earlier releases record none, so that one of them would answer even if its files were altered. "
        "Afterwards it is refused, as those of this release are."
    ),
    opens_from=1,
    alongside=True,
    pending=pending,
    apply=apply,
)
