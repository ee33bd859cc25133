"""What the parts of a page show: read in threads and kept, so that a page waits for no store longer than it may."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from evergreen.errors import EvergreenError

K = TypeVar("K", bound=Hashable)
_KEPT, _AT_ONCE, _WAITING = 256, 4, 64


def fault(error: Exception, what: str) -> str:
    """A fault of Evergreen itself in words, for a page; the log says where it is."""
    logging.getLogger(__name__).error("%s", what, exc_info=error)
    return f"A fault of Evergreen itself, {type(error).__name__}; the UI has printed where."


def lasting(seconds: float) -> int:
    """A state that is another one after at most so many seconds, of what changes unseen."""
    return int(time.monotonic() / seconds)


@dataclass(frozen=True)
class Part:
    """What is known of a part of a page.

    Attributes
    ----------
    value : object
        None while nothing is known.
    problem : str
        Why it could not be read; the value is then the one before.
    pending : bool
        Whether it is being read; the value is then the one before.
    """

    value: Any = None
    problem: str = ""
    pending: bool = False

    @property
    def is_known(self) -> bool:
        """Whether it was read, and nothing has kept it from being read since."""
        return self.value is not None and not self.problem


@dataclass(frozen=True)
class Question:
    """What a part of a page asks for.

    Attributes
    ----------
    key : hashable
        The same for the same question.
    state : hashable
        Equal as long as the answer is.
    read : callable
        Gives the answer.
    look : callable, optional
        Gives what is equal as long as the answer is, beside the state, from a store: one that does not answer holds up
        no page, as it is asked in the thread that reads.
    """

    key: Hashable
    state: Hashable
    read: Callable[[], Any]
    look: Callable[[], Hashable] | None = None


@dataclass
class Reader:
    """Answers questions in threads, each once for as long as its state does not change."""

    _known: "OrderedDict[Hashable, tuple[Hashable, Part]]" = field(default_factory=OrderedDict)
    _running: dict[Hashable, threading.Event] = field(default_factory=dict)
    _turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_AT_ONCE))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def part(self, question: Question, patience: float) -> Part:
        """What is known of a question after a wait of at most so many seconds."""
        return self.parts({question.key: question}, patience)[question.key]

    def parts(self, questions: Mapping[K, Question], patience: float) -> dict[K, Part]:
        """What is known of each question after a wait.

        Parameters
        ----------
        questions : dict of any name to Question
        patience : float
            How many seconds to wait for all of them together.
        """
        end = time.monotonic() + patience
        begun = {name: self._begin(question) for name, question in questions.items()}
        for event in filter(None, begun.values()):
            event.wait(max(end - time.monotonic(), 0.0))
        return {name: self._part(question) for name, question in questions.items()}

    def _begin(self, question: Question) -> threading.Event | None:
        """Start to read, unless the answer is known; what tells that it has been read."""
        with self._lock:
            if question.look is None and self._is_known(question.key, question.state):
                return None
            if question.key in self._running or len(self._running) >= _WAITING:
                return self._running.get(question.key)
            done = self._running[question.key] = threading.Event()
        threading.Thread(target=self._read, args=(question, done), name="reader", daemon=True).start()
        return done

    def _read(self, question: Question, done: threading.Event) -> None:
        state = question.state
        try:
            if question.look is not None:
                state = question.state, question.look()
                if self._is_known(question.key, state):
                    return
            with self._turn:
                self._keep(question.key, state, Part(question.read()))
        except EvergreenError as error:
            self._keep(question.key, state, Part(self._before(question), str(error)))
        except Exception as error:
            told = fault(error, f"A part of a page, {question.key}")
            self._keep(question.key, state, Part(self._before(question), told))
        finally:
            with self._lock:
                del self._running[question.key]
            done.set()

    def _is_known(self, key: Hashable, state: Hashable) -> bool:
        """Whether the answer of this state is there."""
        known = self._known.get(key)
        return known is not None and known[0] == state and not known[1].problem

    def _before(self, question: Question) -> Any:
        return self._known.get(question.key, (None, Part()))[1].value

    def _keep(self, key: Hashable, state: Hashable, part: Part) -> None:
        with self._lock:
            self._known[key] = state, part
            self._known.move_to_end(key)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)

    def _part(self, question: Question) -> Part:
        with self._lock:
            state, part = self._known.get(question.key, (None, Part(pending=True)))
            if question.key in self._running and (question.look is not None or state != question.state):
                return Part(part.value, part.problem, pending=True)
            return part
