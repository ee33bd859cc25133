"""Carry: a version of another environment, judged here by these gates on these rows before it may answer."""

from evergreen.lifecycle.outcome import Outcome
from evergreen.locks import model_lock
from evergreen.registry.version import Version
from evergreen.settings import Settings
from evergreen.stores import Stores
from flows.runtime.parameters import AsOf, ModelName, run_name, timestamp_of
from flows.runtime.run_states import end_with_outcome, loop_flow
from flows.runtime.terminal import from_shell
from flows.train import concluded
from tasks.carry import carry as bring


@loop_flow("carry", run_name)
def carry(model: ModelName, environment: str, version: str = "champion", as_of: AsOf = None, by: str = "") -> Outcome:
    """Bring a version of another environment, judge it against the champion, and promote it if every gate passes.

    Args:
        model: A file in models/, by its name.
        environment: Where it comes from, such as staging; its file in environments/ names its stores.
        version: Its number or alias there.
        as_of: Use only data known at this time; None for now.
        by: Who requested it, for the record; empty if the system did.
    """
    at, stores = timestamp_of(as_of), Stores.open()
    with model_lock(model, "train"):
        origin = Stores.of(Settings.of_environment(environment))
        brought = origin.registry.version(model, version)
        challenger = bring(stores, origin, brought, environment, at)
        outcome = concluded(stores, challenger, at, _as_it_is, by)
    return end_with_outcome(outcome)


def _as_it_is(stores: Stores, version: Version) -> Version:
    """A carried version is not fitted again: that would be another model."""
    return version


if __name__ == "__main__":
    from_shell(carry)
