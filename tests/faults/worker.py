"""A worker of several: refreshes models at moments, as its input says line by line, and tells how each ended."""

import sys
from datetime import datetime

from evergreen.settings import embed

embed()

from evergreen.errors import BusyError, EvergreenError  # noqa: E402 - Prefect reads its settings when it is imported
from flows.refresh import refresh  # noqa: E402

print("ready", flush=True)
for line in sys.stdin:
    model, moment = line.split()
    try:
        print(refresh(model, as_of=datetime.fromisoformat(moment)).decision, flush=True)
    except BusyError:
        print("busy", flush=True)
    except EvergreenError as error:
        print(f"error: {error}", flush=True)
