"""The flows, one file each: each calls its stages in order."""

import sys

from evergreen.exit_codes import run_command
from evergreen.garbage_collection import collect_rarely
from evergreen.settings import embed
from flows.runtime.connection import join

# Prefect reads its settings when it is imported, so they are set before any flow is.
if sys.argv[:1] == ["-m"]:  # as in `python -m flows.train`: a person waits
    run_command(embed)
else:
    embed()
join()
collect_rarely()
