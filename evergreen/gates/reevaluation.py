"""Re-evaluation: judge a registered version again, without recording the result or moving an alias."""

from dataclasses import replace

from evergreen.definition import loader
from evergreen.definition.model import Model
from evergreen.evaluation import comparison, rivals
from evergreen.evaluation.rivals import Candidate
from evergreen.gates import judgement
from evergreen.gates.judgement import Judgement
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot


def reevaluate(stores: Stores, name: str, number: str) -> Judgement:
    """Judge a version again as of its own training, by the gates of the model file as it is now.

    It is compared with the same versions as then, on its own holdout: the present champion may
    have been trained on these rows, as the refit of this version has been. A version that was
    never judged is compared with the present champion. For a refit, its original is judged.
    """
    definition, registry = loader.load(name), stores.registry
    version = registry.origin(registry.version(name, number))
    return judged_again(stores, definition, version, rivals.candidate(registry, version))


def judged_again(stores: Stores, definition: Model, version: Version, challenger: Candidate) -> Judgement:
    """Judge a candidate as a version was or would be judged: on the same holdout, against the same versions."""
    registry = stores.registry
    champion, split = _champion(registry, version), challenger.split
    before = [other for other in registry.versions(version.model) if int(other.number) < int(version.number)]
    looks = rivals.looks(before, split.holdout_from, split.holdout_until, first=champion is None)
    against = rivals.rivals(registry, definition, champion, before, version)
    if version.decision:  # their rollbacks may have changed since
        names = judgement.newest_judgement(registry, version, trained=True).evidence.earlier_over_challenger
        earlier = {name: registry.version(version.model, name.removeprefix("version ")) for name in names}
        against = replace(against, earlier={name: rivals.candidate(registry, other) for name, other in earlier.items()})
    trial = comparison.compare_on_holdout(Snapshot.of(stores.lake, definition, version), challenger, against, looks)
    return judgement.judge_challenger(version, champion, trial.evidence, definition.gates)


def _champion(registry: Registry, version: Version) -> Version | None:
    if not version.decision:
        return registry.champion(version.model)
    against = version.judged_against
    return registry.version(version.model, against) if against else None
