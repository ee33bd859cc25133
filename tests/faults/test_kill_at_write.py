"""The list of writes at which runs are killed: each is there, by the name that it is hooked by."""

import importlib

import pytest

from tests.faults.kill_at_write import WRITES


@pytest.mark.parametrize(("place", "name"), [(place, name) for place, names in WRITES.items() for name in names])
def test_every_write_that_is_hooked_is_there(place, name):
    module, _, kind = place.partition(":")
    owner = importlib.import_module(module)
    owner = getattr(owner, kind) if kind else owner
    assert name in vars(owner) or kind == "MlflowClient"
    assert callable(getattr(owner, name))
