"""The sentences: one flow a file, read as the recipe of what happens."""

import gc

from evergreen.settings import embed
from flows.runtime.connection import join

embed()  # Prefect reads its settings when it is imported, so they are set before any flow is
join()
gc.set_threshold(10_000)  # a run is mostly imports, which leave no garbage: looking for some at each 700 costs a sixth
