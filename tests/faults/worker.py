"""A worker of several: refreshes models at moments, as its input says line by line, and tells how each ended."""

import sys
from datetime import datetime


def work() -> None:
    """Answer every line until the input ends."""
    from evergreen.settings import embed

    embed()
    from evergreen.errors import BusyError, EvergreenError
    from flows.refresh import refresh  # Prefect reads its settings when it is imported

    print("ready", flush=True)
    for line in sys.stdin:
        model, moment = line.split()
        try:
            print(refresh(model, as_of=datetime.fromisoformat(moment)).decision, flush=True)
        except BusyError:
            print("busy", flush=True)
        except EvergreenError as error:
            print(f"error: {error}", flush=True)


if __name__ == "__main__":
    work()
