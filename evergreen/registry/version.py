"""A version of a model, by value, with everything that is recorded of it as typed properties."""

from dataclasses import dataclass, field
from typing import Any, TypedDict

import pandas as pd

from evergreen.errors import RegistryError
from evergreen.registry.tags import (
    Period,
    T,
    Tag,
    arguments,
    count,
    decimal,
    flag,
    integer,
    periods,
    text,
    timestamp,
)

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
CANARY, SHADOW = "canary", "shadow"  # roles beside the champion

_MOST_PERIODS = 50  # of online evaluations that are kept of one version; a tag has room for no more


@dataclass(frozen=True)
class Version:
    """A registered version of a model, by value: small enough to pass between stages.

    The records of a training, its verdict and its promotion are tags in the registry. Each is a typed
    property here; only this class knows the name under which it is stored.

    Attributes
    ----------
    model, number, run_id : str
    source : str
        The URI of the stored model.
    tags : dict
        The tags as they are stored, without Evergreen's prefix. Read the properties instead.
    aliases : tuple of str
    """

    model: str
    number: str
    run_id: str
    source: str
    tags: dict[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    # What the training was made of.
    fingerprint = text("Identifies the training: the same recipe on the same data has the same fingerprint.")
    reason = text("The trigger of the training.")
    as_of = timestamp("The training used what was known at this time.")
    table_version = integer("The Delta version of the table of rows.")
    data_hash = text("A hash of the training rows.")
    data_from = timestamp("The time of the oldest training row.")
    data_until = timestamp("The time of the newest training row.")
    rows = count("How many training rows there were.")
    train_from = timestamp("The start of the training window; empty if it has none.")
    train_until = timestamp("The end of the training window, exclusive.")
    holdout_from = timestamp("The start of the holdout.")
    holdout_until = timestamp("The end of the holdout, exclusive.")
    label_maturity = text(
        "From which age on rows took part, and what that was learned from, as JSON; empty for the declared label delay."
    )
    window_record = text(
        "The comparisons of training windows that this training made, as JSON; empty for a fixed window."
    )
    params = arguments("The arguments of the estimator that the search chose.")
    refit_of = text("The number of the judged version whose recipe this one repeats on all rows; else empty.")
    refit_disagreement = decimal("How far the refit's predictions lie from the judged version's.", "disagreement")
    refit_gain = decimal("The low end of the refit's gain over the judged version on the holdout.", "learnt")

    # The code and the environment of the training.
    commit = text("The git commit.")
    carried_from = text("The environment and version that it was carried from, such as staging airtime@7; else empty.")
    environment = text("The environment of the project that it was trained in, such as staging; empty for none.")
    uncommitted = flag("Whether the code or the model file differs from that commit.", "dirty", off="False")
    lock_hash = text("A hash of requirements.lock.", "lock")
    model_file_hash = text("A hash of the model file.", "model_file")
    code_hash = text(
        "A hash of the model file and of the modules of its folder that it imports; empty before this tag.", "code"
    )
    evergreen_version = text("The version of Evergreen; empty before this tag.", "package_version")
    python_version = text("The version of Python.", "python")
    platform = text("The operating system and machine.")
    not_in_lock = text("Packages that the model needs and requirements.lock does not name.")

    # The stored model.
    stored_hash = text("The SHA-256 of the stored model; empty if it was registered by a release that recorded none.")

    # The verdict on the holdout.
    decision = text("The verdict of the gates: promote, reject or not enough evidence; empty before there is one.")
    verdict_reason = text("Why the gates decided so, in one sentence.", "verdict")
    gain = text("The gain over the champion, as JSON; empty without a champion.")
    judged_against = text("The number of the champion that it was compared with.")
    judged_from = timestamp("The time of the oldest row of the comparison.")
    judged_until = timestamp("The time of the newest row of the comparison.")
    settled = flag("Whether everything that the verdict asked for has been done.")
    verdict_seal = text("The seal of the audit log's line of its latest verdict.")
    settings_tried = count(
        "How many other settings were tried on its holdout after it, a first model, was not promoted."
    )

    # The online evaluation, as canary or as shadow.
    trial_decision = text("The verdict of the latest online evaluation.", "trial")
    trial_reason = text("Why the latest online evaluation ended so, in one sentence.", "trial_verdict")
    trial_rows = count("How many rows the latest online evaluation used.")
    trial_against = text("The number of the champion that the latest online evaluation compared it with.")
    trial_settled = flag("Whether everything that the latest online evaluation asked for has been done.")
    trial_periods = periods("The periods of the rows of each online evaluation.", "trial_looks")

    # Approval by a person.
    approval = text("The state of the approval: waiting, approved, refused or superseded; empty if none was requested.")
    approval_judged = text("The number of the version whose verdict asked for the approval.")
    approval_until = timestamp("When the request for approval lapses.")
    approval_by = text("Who answered; of a superseded request, the version that took its place.")
    approval_reason = text("The reason that was given with the answer.")
    approval_seal = text("The seal of the audit log's line of the request, or of the answer.")

    # Promotion and rollback.
    promoted_at = timestamp("When it was last promoted to champion.")
    promoted_by = text("The number of the version whose verdict promoted it.")
    promotion_seal = text("The seal of the audit log's line of its promotion.", "audit")
    rolled_back_at = timestamp("When it was rolled back; empty once it is champion again.")
    rolled_back_reason = text("Why it was rolled back.")
    rolled_back_to = text("The number of the version that took its place by the rollback.")
    restored_at = timestamp("When a rollback made it champion again.")
    rollback_seal = text("The seal of the audit log's line of the rollback that made it champion again.")
    retired_at = timestamp("When its model was retired while it was champion; empty once that is undone.")
    retired_reason = text("Why its model was retired.")
    retirement_seal = text("The seal of the audit log's line of its retirement, or of the undoing of it.")

    def __str__(self) -> str:
        return f"{self.model}@{self.number}"

    @property
    def recorded(self) -> bool:
        """Whether Evergreen trained it, so that it is known which rows it was trained on."""
        return self.table_version is not None

    @property
    def rolled_back(self) -> bool:
        """Whether it was rolled back, and no person has restored it since."""
        return self.rolled_back_at is not None

    @property
    def restored(self) -> bool:
        """Whether a rollback made it champion, and no promotion has since."""
        back, promoted = self.restored_at, self.promoted_at
        return back is not None and (promoted is None or back >= promoted)

    @property
    def champion_since(self) -> pd.Timestamp | None:
        """When it last became champion, by a rollback or a promotion; None if it never was."""
        return self.restored_at if self.restored else self.promoted_at

    @property
    def approved(self) -> bool:
        """Whether a person approved it."""
        return self.approval == "approved"

    @property
    def missing(self) -> list[str]:
        """The stored names of the tags that a reproduction needs and this version lacks."""
        needed = (Version.table_version, Version.data_hash, Version.as_of, Version.model_file_hash, Version.params)
        return [tag.stored for tag in needed if tag.stored not in self.tags]

    def required(self, tag: "Tag[T | None]") -> T:
        """The value of a property that every version trained by Evergreen has.

        Raises
        ------
        RegistryError
            This one has not.
        """
        value = tag.__get__(self, Version)
        if value is None:
            raise RegistryError(f"{self} was not trained by Evergreen, so its {tag.stored} is not recorded.")
        return value

    def with_trial_period(self, since: pd.Timestamp, until: pd.Timestamp) -> list[Period]:
        """Its `trial_periods` with one more; store it before the result of that evaluation is used."""
        return [*self.trial_periods[-_MOST_PERIODS:], (since, until)]


class TagValues(TypedDict, total=False):
    """Values of a version's properties, by their names, to store or to search for."""

    fingerprint: str
    reason: str
    as_of: pd.Timestamp | None
    table_version: int | None
    data_hash: str
    data_from: pd.Timestamp | None
    data_until: pd.Timestamp | None
    rows: int
    train_from: pd.Timestamp | None
    train_until: pd.Timestamp | None
    holdout_from: pd.Timestamp | None
    holdout_until: pd.Timestamp | None
    label_maturity: str
    window_record: str
    params: dict[str, Any]
    refit_of: str
    refit_disagreement: float
    refit_gain: float
    commit: str
    carried_from: str
    environment: str
    uncommitted: bool
    lock_hash: str
    model_file_hash: str
    code_hash: str
    evergreen_version: str
    python_version: str
    platform: str
    not_in_lock: str
    stored_hash: str
    decision: str
    verdict_reason: str
    gain: str
    judged_against: str
    judged_from: pd.Timestamp | None
    judged_until: pd.Timestamp | None
    settled: bool
    verdict_seal: str
    settings_tried: int
    trial_decision: str
    trial_reason: str
    trial_rows: int
    trial_against: str
    trial_settled: bool
    trial_periods: list[Period]
    approval: str
    approval_judged: str
    approval_until: pd.Timestamp | None
    approval_by: str
    approval_reason: str
    approval_seal: str
    promoted_at: pd.Timestamp | None
    promoted_by: str
    promotion_seal: str
    rolled_back_at: pd.Timestamp | None
    rolled_back_reason: str
    rolled_back_to: str
    restored_at: pd.Timestamp | None
    rollback_seal: str
    retired_at: pd.Timestamp | None
    retired_reason: str
    retirement_seal: str


TAGS: dict[str, Tag[Any]] = {name: tag for name, tag in vars(Version).items() if isinstance(tag, Tag)}
"""Every tag by the name of its property, in the order of a version's life."""


def stored(values: TagValues) -> dict[str, str]:
    """Typed values as the tags that the registry stores, in the same order.

    Examples
    --------
    >>> stored({"as_of": pd.Timestamp("2013-01-11", tz="UTC"), "settled": True, "uncommitted": False})
    {'as_of': '2013-01-11T00:00:00+00:00', 'settled': 'True', 'dirty': 'False'}
    """
    return {TAGS[name].stored: TAGS[name].text(value) for name, value in values.items()}
