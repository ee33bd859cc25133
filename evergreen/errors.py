"""The exceptions, as a tree. A message says what was wrong, what came, and what to do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evergreen import ctrl_c
from evergreen.addresses import without_secrets

_LONGEST = 20_000  # characters of an error that logs show: DuckDB's quote a whole line


class EvergreenError(Exception):
    """The root of all errors that a user can fix; the CLI prints it without a traceback.

    A message may quote an address, also one that a library quoted; a password or a signature in it is not shown.

    Attributes
    ----------
    may_pass : bool
        Whether it can go away by itself, so that trying again may help.
    """

    may_pass = False

    def __init__(self, message: str = "") -> None:
        super().__init__(without_secrets(message))


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error tells of the machine, and nothing of the model that was asked."""
    return isinstance(error, MemoryError) or isinstance(error.__context__, MemoryError)


class ProjectError(EvergreenError):
    """There is no project here, its files are not as they must be, or its folders hide a package of Evergreen's."""


class ModelFileError(EvergreenError):
    """A model file is missing, does not run, or defines something that cannot be used."""


class FeasibilityError(ModelFileError):
    """A gate or a trigger of a model can never come to a judgement, whatever rows come."""


class ScaffoldError(EvergreenError):
    """A table from which no model file can be drafted, or a file that would be overwritten."""


class SourceError(EvergreenError):
    """A source cannot be read."""

    may_pass = True


class SourceShapeError(SourceError):
    """A source answers, but not with a table of the declared shape."""

    may_pass = False


class SourceSetupError(SourceError):
    """A source's address is of an unknown kind, or the package that reads this kind is not installed."""

    may_pass = False


class ContractError(EvergreenError):
    """A contract itself is wrong: an unknown expectation, or one that cannot be run."""


class LakeError(EvergreenError):
    """The lake cannot be read or written."""

    may_pass = True


class LakeSchemaError(LakeError):
    """The lake holds a schema that the model file contradicts."""

    may_pass = False


class LakeFormatError(LakeError):
    """The stored state is in a format that this release does not open, or its migration is unfinished."""

    may_pass = False


class LakeSetupError(LakeError):
    """The lake's address is of an unknown kind, or the package that reads this kind is not installed."""

    may_pass = False


class NoRowsError(LakeError):
    """Nothing has landed for this model yet."""

    may_pass = False


class QuarantineError(EvergreenError):
    """No such entry in quarantine, or one that cannot be released as it is."""


class NotEnoughDataError(EvergreenError):
    """Too few labelled rows, days or classes to train or to judge on."""


class TrainingError(EvergreenError):
    """The estimator of the model file raised, or fitted to something that cannot be stored."""


class RegistryError(EvergreenError):
    """The registry cannot be reached, is read-only, or has no such version."""

    may_pass = True


class RegistrySetupError(RegistryError):
    """The registry's address is invalid, or a package that it or a stored model needs is not installed."""

    may_pass = False


class AlteredModelError(RegistryError):
    """A stored model is not the one that was registered, or asks for types that are not trusted."""

    may_pass = False


class BusyError(EvergreenError):
    """Another process is training the same model."""


class LockError(EvergreenError):
    """The Postgres that keeps the locks of several machines cannot be used."""

    may_pass = True


class PromotionError(EvergreenError):
    """A verdict does not cover this promotion; no alias moves."""


class AlertError(EvergreenError):
    """There is no alert to acknowledge, or a person has acknowledged it before."""


class PolicyError(EvergreenError):
    """A policy of a replay is not known, cannot be loaded, or raises."""


class ReplayError(EvergreenError):
    """A replay cannot be run as it was asked for."""


class ExperimentError(EvergreenError):
    """An experiment cannot be run as it was asked for."""


class ErasureError(EvergreenError):
    """The arguments do not determine which rows to erase."""


class TraceError(EvergreenError):
    """There is no such version, prediction or batch to trace, or its origin is not recorded."""


class ReproductionError(EvergreenError):
    """A version cannot be trained again as it was."""


class ChangedError(ReplayError):
    """The model file was changed while it was replayed."""


class RunningError(EvergreenError):
    """A server or a worker cannot be started or has ended, or a Prefect server refuses a request."""


def first_line(error: BaseException) -> str:
    """The first line of a library's error; of an SQLAlchemy error, the first line of the database's own error."""
    return (str(getattr(error, "orig", error)).splitlines() or [type(error).__name__])[0]


def shown_cause(error: BaseException) -> BaseException | None:
    """An error as the cause of another, which logs show; None if one of its causes quotes a password or is too long."""
    cause: BaseException | None = error
    while cause is not None:
        text = str(cause)
        if len(text) > _LONGEST or without_secrets(text) != text:
            return None
        cause = cause.__cause__ or cause.__context__
    return error


@contextmanager
def translated(
    into: type[EvergreenError],
    message: str,
    *catch: type[Exception],
    reason: Callable[[BaseException], str] = first_line,
    chained: bool = True,
) -> Iterator[None]:
    """Turn a library's errors into one of Evergreen's.

    Parameters
    ----------
    into : type
        One that is raised inside passes as it is.
    message : str
        What could not be done, why and what to do; ``{reason}`` stands for what the library says.
    *catch : type
        The library's errors; any by default.
    reason : callable
        From the error to its reason in words.
    chained : bool
        Whether logs show the library's error too; not one that may quote a row. One that quotes a password never is.

    Examples
    --------
    >>> with translated(LakeError, "Cannot read rows: {reason}. Check that the lake is there.", OSError):
    ...     raise FileNotFoundError("no such folder")
    Traceback (most recent call last):
        ...
    evergreen.errors.LakeError: Cannot read rows: no such folder. Check that the lake is there.
    """
    caught = catch or (Exception,)
    try:
        yield
    except into:
        raise
    except caught as error:
        ctrl_c.raise_again(error)
        raise into(message.replace("{reason}", reason(error))) from (shown_cause(error) if chained else None)
