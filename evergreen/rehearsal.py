"""A rehearsal: judging a registered version again, with nothing recorded and nothing moved."""

from evergreen import judgement, model, trial
from evergreen.judgement import Judgement
from evergreen.lake import Lake
from evergreen.registry import Registry
from evergreen.snapshot import Snapshot


def rehearse(name: str, number: str) -> Judgement:
    """Judge a version as it would be judged now, against the champion of now."""
    definition, registry = model.load(name), Registry.open()
    version = registry.version(name, number)
    challenger, champion = trial.candidate(registry, version), registry.champion(name)
    split = challenger.split
    versions = registry.versions(name)
    looked = trial.looks(versions, split.holdout_from, split.holdout_until)
    snapshot = Snapshot.of(Lake.open(), definition, version.tags)
    held = trial.hold(snapshot, challenger, trial.rivals(registry, definition, versions, split), looked)
    return judgement.weigh(version, champion, held.evidence, definition.gates)
