"""The flows, one file each: each calls its stages in order."""

from evergreen.garbage_collection import collect_rarely
from evergreen.settings import embed, is_placed
from flows.runtime.connection import join

if is_placed():  # else the command or the flow says so
    embed()  # Prefect reads its settings when it is imported, so they are set before any flow is
    join()
collect_rarely()
