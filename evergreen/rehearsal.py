"""A rehearsal: judging a registered version again, with nothing recorded and nothing moved."""

from evergreen import judgement, model, trial
from evergreen.judgement import Judgement
from evergreen.lake import Lake
from evergreen.registry import Registry, Version
from evergreen.snapshot import Snapshot


def rehearse(name: str, number: str) -> Judgement:
    """Judge a version again as of its own training, by the gates of the model file as it is now.

    It meets whom it met then, on its own holdout: the champion of now may have been trained on
    that, as the refit of this very version has been. A version that was never judged meets the
    champion of now, and a refit is judged as the version that it is a refit of.
    """
    definition, registry = model.load(name), Registry.open()
    version = registry.origin(registry.version(name, number))
    challenger, champion = trial.candidate(registry, version), _champion(registry, version)
    split = challenger.split
    before = [one for one in registry.versions(name) if int(one.number) < int(version.number)]
    looked = trial.looks(before, split.holdout_from, split.holdout_until)
    snapshot = Snapshot.of(Lake.open(), definition, version.tags)
    held = trial.hold(snapshot, challenger, trial.rivals(registry, definition, champion, before, version), looked)
    return judgement.weigh(version, champion, held.evidence, definition.gates)


def _champion(registry: Registry, version: Version) -> Version | None:
    if not version.tags.get("decision"):
        return registry.champion(version.model)
    against = version.tags.get("judged_against")
    return registry.version(version.model, against) if against else None
