"""The flows, one file each: each calls its stages in order."""

import gc

from evergreen.settings import embed
from flows.runtime.connection import join

embed()  # Prefect reads its settings when it is imported, so they are set before any flow is
join()
gc.set_threshold(
    10_000
)  # a run is mostly imports, which create no garbage: the default threshold of 700 costs a sixth of the time
