"""What was asked for from pages: each once, by the token of its form, and done while the page is shown."""

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from evergreen.errors import EvergreenError

if TYPE_CHECKING:
    from flows.runtime.runs import Run

_MOST = 500  # that are remembered


@dataclass
class Asked:
    """Something that a person has asked for.

    Attributes
    ----------
    what, model : str
        In words, and for which model.
    by : str
        The person.
    at : str
        When; ISO 8601.
    said : str
        What it came to; empty before it has ended, or if it became a run.
    run : Run or None
        The run that does it.
    problem : str
        Why it was not done; empty if nothing kept it from being done.
    """

    what: str
    model: str
    by: str
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    said: str = ""
    run: "Run | None" = None
    problem: str = ""
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def ended(self) -> bool:
        """Whether nothing more is done here."""
        return self._ended.is_set()

    def wait(self, seconds: float) -> None:
        """Wait for its end, but not longer."""
        self._ended.wait(seconds)

    def do(self, work: "Callable[[], str | Run]") -> None:
        """Do it in the background."""
        threading.Thread(target=self._do, args=[work], name="act", daemon=True).start()

    def _do(self, work: "Callable[[], str | Run]") -> None:
        try:
            done = work()
            if isinstance(done, str):
                self.said = done
            else:
                self.run = done
        except EvergreenError as error:
            self.problem = str(error)
        except Exception as error:
            traceback.print_exc()
            self.problem = f"It ended with an unexpected error, {type(error).__name__}; the log of the UI has it whole."
        finally:
            self._ended.set()


@dataclass
class Ledger:
    """What was asked for since this process began."""

    _by_token: dict[str, Asked] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, token: str, asked: Asked, work: "Callable[[], str | Run]") -> Asked:
        """Do what is asked for; a token that was sent before gives what came of it then."""
        with self._lock:
            if token in self._by_token:
                return self._by_token[token]
            while len(self._by_token) >= _MOST:
                del self._by_token[next(iter(self._by_token))]
            self._by_token[token] = asked
        asked.do(work)
        return asked

    def find(self, token: str) -> Asked | None:
        """What was asked for with a token, if this process remembers it."""
        return self._by_token.get(token)
