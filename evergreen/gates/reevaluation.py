"""A rehearsal: judging a registered version again, with nothing recorded and nothing moved."""

from dataclasses import replace

from evergreen.definition import loader
from evergreen.definition.model import Model
from evergreen.evaluation import comparison
from evergreen.evaluation.comparison import Candidate
from evergreen.gates import judgement
from evergreen.gates.judgement import Judgement
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot


def rehearse(stores: Stores, name: str, number: str) -> Judgement:
    """Judge a version again as of its own training, by the gates of the model file as it is now.

    It meets whom it met then, on its own holdout: the champion of now may have been trained on
    that, as the refit of this very version has been. A version that was never judged meets the
    champion of now, and a refit is judged as the version that it is a refit of.
    """
    definition, registry = loader.load(name), stores.registry
    version = registry.origin(registry.version(name, number))
    return judged_again(stores, definition, version, comparison.candidate(registry, version))


def judged_again(stores: Stores, definition: Model, version: Version, challenger: Candidate) -> Judgement:
    """Judge a candidate as a version was judged, or would be: on its holdout, against whom it met."""
    registry = stores.registry
    champion, split = _champion(registry, version), challenger.split
    before = [one for one in registry.versions(version.model) if int(one.number) < int(version.number)]
    looked = comparison.looks(before, split.holdout_from, split.holdout_until)
    against = comparison.rivals(registry, definition, champion, before, version)
    if version.decision:  # some may have been rolled back, or restored, since
        then = judgement.recorded(registry, version, trained=True).evidence.earlier_over_challenger
        earlier = {one: registry.version(version.model, one.removeprefix("version ")) for one in then}
        against = replace(against, earlier={name: comparison.candidate(registry, one) for name, one in earlier.items()})
    held = comparison.hold(Snapshot.of(stores.lake, definition, version), challenger, against, looked)
    return judgement.weigh(version, champion, held.evidence, definition.gates)


def _champion(registry: Registry, version: Version) -> Version | None:
    if not version.decision:
        return registry.champion(version.model)
    against = version.judged_against
    return registry.version(version.model, against) if against else None
