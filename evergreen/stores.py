"""The stores of an installation: lake, registry and quarantine, opened once and passed to their users."""

from dataclasses import dataclass

from evergreen.ingestion.quarantine import Quarantine
from evergreen.lake import state_format
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import Lake
from evergreen.registry.mlflow_registry import MlflowRegistry
from evergreen.registry.registry import Registry
from evergreen.settings import Settings


@dataclass(frozen=True)
class Stores:
    """What stages read from and write to.

    A flow, a command and the service open the stores of the installation; a replay makes its own, in memory.

    Attributes
    ----------
    lake : Lake
    registry : Registry
    quarantine : Quarantine
    live : bool
        Whether acts are written to the audit log and emitted as events; not those of a replay.
    """

    lake: Lake
    registry: Registry
    quarantine: Quarantine
    live: bool = True

    @classmethod
    def open(cls) -> "Stores":
        """The stores that the settings name.

        Raises
        ------
        LakeFormatError
            This release does not open the format of the state.
        """
        return cls.of(Settings.read())

    @classmethod
    def of(cls, settings: Settings) -> "Stores":
        """The stores of these settings.

        Raises
        ------
        LakeFormatError
            This release does not open the format of the state.
        """
        state_format.check(settings.lake)
        lake = DeltaLake(settings.lake)
        registry = MlflowRegistry(settings.tracking_uri, settings.artifacts or None, lake)
        return cls(lake, registry, Quarantine(settings.lake))
