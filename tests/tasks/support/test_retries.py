"""A stage is tried again where a source or a store was away, and on nothing else."""

import pytest
from prefect.states import Failed

from evergreen import errors
from evergreen.errors import EvergreenError
from tasks.support.retries import is_unavailable

HELPED = {errors.SourceError, errors.LakeError, errors.RegistryError, errors.LockError}
ALL = [error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, EvergreenError)]


@pytest.mark.parametrize("error", [*ALL, ValueError, KeyError])
def test_only_a_store_or_a_source_that_is_away_is_tried_again(error):
    assert is_unavailable(None, None, Failed(data=error("it"))) == (error in HELPED)
