"""The exceptions, as a tree. A message says what was wrong, what came, and what to do."""


class EvergreenError(Exception):
    """The root of all errors that a user can mend; the CLI prints it without a traceback."""


class ModelFileError(EvergreenError):
    """A model file is missing, does not run, or defines something that cannot be used."""


class ScaffoldError(EvergreenError):
    """A table from which no model file can be drafted, or a file that would be overwritten."""


class SourceError(EvergreenError):
    """A source cannot be read, or gives rows that are not a table of the declared shape."""


class ContractError(EvergreenError):
    """A contract itself is wrong: an unknown expectation, or one that cannot be run."""


class LakeError(EvergreenError):
    """The lake cannot be read or written, or holds a schema that the model file contradicts."""


class QuarantineError(EvergreenError):
    """No such entry in quarantine, or one that cannot be released as it is."""


class NotEnoughDataError(EvergreenError):
    """Too few labelled rows, days or classes to train or to judge on."""


class TrainingError(EvergreenError):
    """The estimator of the model file raised, or fitted to something that cannot be stored."""


class RegistryError(EvergreenError):
    """The registry is away, read-only, or holds no such version."""


class BusyError(EvergreenError):
    """Another process is training the same model."""


class PromotionError(EvergreenError):
    """A verdict does not cover this promotion; no alias moves."""
