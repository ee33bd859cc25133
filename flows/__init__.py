"""The sentences: one flow a file, read as the recipe of what happens."""

from evergreen.settings import embed
from flows.joining import join

embed()  # Prefect reads its settings when it is imported, so they are set before any flow is
join()
