"""A rehearsal: judging a registered version again, with nothing recorded and nothing moved."""

from evergreen import judgement, model, recipe, trial
from evergreen.judgement import Judgement
from evergreen.lake import Lake
from evergreen.registry import Registry
from evergreen.snapshot import Snapshot


def rehearse(name: str, number: str) -> Judgement:
    """Judge a version as it would be judged now, against the champion of now."""
    definition, registry = model.load(name), Registry.open()
    version = registry.version(name, number)
    split = recipe.split_of(version)
    candidate = trial.Candidate(registry.load(version), registry.path(version), split)
    looked = trial.looks(registry.versions(name), split.holdout_from, split.holdout_until)
    against = trial.rivals(registry, definition, split)
    held = trial.hold(Snapshot.of(Lake.open(), definition, version.tags), candidate, registry, against, looked)
    return judgement.weigh(version, against.champion, held.evidence, definition.gates)
