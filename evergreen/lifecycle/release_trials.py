"""What an environment found online of a release's versions, for another environment that is to take the release."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from evergreen.lake.release_log import Trial
from evergreen.registry.registry import Registry
from evergreen.registry.version import CANARY, SHADOW, Version

State = Literal["passed", "unchanged", "worse", "undecided", "not tried", "not trained"]
_UNDECIDED = "not enough evidence"


@dataclass(frozen=True)
class Finding:
    """What is known of one model of a release.

    Attributes
    ----------
    model : str
    state : str
        Only ``"passed"`` and ``"unchanged"`` let the release go on.
    version : Version or None
        The one that was evaluated, or that can be; None where there is none.
    """

    model: str
    state: State
    version: Version | None = None

    @property
    def goes_on(self) -> bool:
        """Whether this model is no obstacle to the release."""
        return self.state in ("passed", "unchanged")

    @property
    def trial(self) -> Trial | None:
        """The evaluation that it passed, for the record; None if there is none."""
        found = self.version
        if found is None or self.state != "passed":
            return None
        return Trial(
            found.model, found.number, found.trial_against, found.trial_rows, found.trial_decision, found.trial_reason
        )

    def sentence(self, environment: str) -> str:
        """What was found in an environment, and the command that comes next there if more is needed."""
        found = self._found(environment)
        return found if self.goes_on else f"{found} Next: evergreen --env {environment} {self._command()}"

    def _found(self, environment: str) -> str:
        version = self.version
        if self.state == "unchanged":
            return f"{self.model}: not changed by the release, and no version was made with it in {environment}."
        if self.state == "not trained":
            return f"{self.model} was not trained with this release in {environment}."
        if version is None:
            return (
                f"{self.model}: training alone made its version champion in {environment}. Train it on newer rows, and "
                "let that version run beside the champion."
            )
        if self.state == "not tried":
            return f"{version} {'runs' if _runs(version) else 'never ran'} beside the champion, and was not evaluated."
        against = f" against version {version.trial_against}" if version.trial_against else ""
        judged = f"{version} was evaluated online in {environment} on {version.trial_rows:,} rows{against}"
        after = f" It was rolled back afterwards: {version.rolled_back_reason}." if version.rolled_back else ""
        return f"{judged}: {version.trial_decision}. {version.trial_reason}{after}"

    def _command(self) -> str:
        version = self.version
        if version is None:
            return f"train {self.model}"
        if self.state == "worse":
            return f"verdict {self.model} --version {version.number}"
        return f"challenge {self.model} {'--judge' if _runs(version) else f'--version {version.number}'}"


def examine(registry: Registry, model: str, commit: str, code: str, in_force: str) -> Finding:
    """What a registry knows of a model of a release.

    Parameters
    ----------
    registry : Registry
        Of the environment that ran the release.
    model : str
    commit : str
        Of the release.
    code : str
        The digest of the model's code in the release.
    in_force : str
        The same of the release that is in force where the new one is to go; empty if none is.

    Returns
    -------
    Finding
        By the newest version that was decided on. Where the release has made none, those of earlier releases with the
        same code stand for it.
    """
    versions = registry.versions(model)
    made = [version for version in versions if version.commit == commit and not version.uncommitted]
    if not made and code == in_force:
        return Finding(model, "unchanged")
    made = made or [version for version in versions if version.code_hash == code]
    if not made:
        return Finding(model, "not trained")
    tried = [version for version in made if version.trial_decision]
    decided = next((version for version in tried if version.trial_decision != _UNDECIDED), None)
    if decided is not None:
        passed = decided.trial_decision == "promote" and not decided.rolled_back
        return Finding(model, "passed" if passed else "worse", decided)
    running = next(filter(_runs, made), None)
    if tried and running in (None, tried[0]):
        return Finding(model, "undecided", tried[0])
    return Finding(model, "not tried", running or _candidate(made, registry.champion(model)))


def _runs(version: Version) -> bool:
    return bool({CANARY, SHADOW} & set(version.aliases))


def _candidate(made: Iterable[Version], champion: Version | None) -> Version | None:
    """The newest version that may run beside the champion, unless the champion is its refit."""
    out = {champion.number, champion.refit_of} if champion else set()
    return next((version for version in made if version.number not in out and not version.rolled_back), None)
