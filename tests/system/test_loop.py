"""The loop on real stores and a real Prefect server: what each run comes to, and what stays as it was."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evergreen.definition import loader
from evergreen.errors import (
    BusyError,
    ContractError,
    NoRowsError,
    NotEnoughDataError,
    QuarantineError,
    SourceError,
    SourceShapeError,
    TrainingError,
)
from evergreen.gates.judgement import newest_judgement
from evergreen.gates.reevaluation import reevaluate
from evergreen.ingestion.release import release
from evergreen.locks import model_lock
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.refresh import refresh
from flows.runtime.parameters import timestamp_of
from flows.train import train
from tasks.train import train as fit
from tests.prepared_homes import ingested, refreshed

JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
FEBRUARY = datetime(2013, 2, 26, tzinfo=UTC)


TURNED_BACK = datetime(2013, 3, 12, tzinfo=UTC)

NAN = """
from sklearn.compose import TransformedTargetRegressor
def estimator():
    return TransformedTargetRegressor(LinearRegression(), func=np.negative, inverse_func=np.log, check_inverse=False)
model = model.model_copy(update={'estimator': estimator})
"""
TURNS_BACK = """
def turning(since, until):
    found = rows(since, until)
    back = found['at'] >= pd.Timestamp('2013-03-01', tz='UTC')
    return found.assign(y=found['y'] + 6 * found['x'].where(back, 0))
model = model.model_copy(update={'source': Call(function=turning, start='2013-01-01', batch='7d')})
"""


@dataclass(frozen=True)
class Calls:
    """A file with a line for each call of a function in a model file."""

    path: Path

    def counted(self, function: str, fails: int = 0) -> str:
        return f"""
def counted(*given):
    with open({str(self.path)!r}, 'a+') as file:
        file.write('called\\n')
        file.seek(0)
        if len(file.readlines()) <= {fails}:
            raise ConnectionError('away')
    return ({function})(*given)
"""

    def count(self) -> int:
        return len(self.path.read_text().splitlines())


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    return Calls(tmp_path / "calls")


def champion_with_a_week_to_come() -> None:
    refreshed(datetime(2013, 1, 22, tzinfo=UTC))
    ingested(JANUARY)


def champion() -> str | None:
    version = Stores.open().registry.champion("toy")
    return version.number if version else None


def test_the_first_model_is_promoted_with_its_evidence_and_the_same_again_is_nothing(home):
    outcome = refresh("toy", as_of=JANUARY)
    assert (outcome.decision, outcome.challenger, outcome.champion, outcome.moved) == ("promote", "1", "2", True)
    registry = Stores.open().registry
    judged = newest_judgement(registry, registry.champion("toy"))
    comparison = next(check for check in judged.verdict.checks if check.name == "not worse than the champion")
    assert comparison.outcome == "skipped"
    assert "first model" in comparison.detail
    assert registry.text(registry.version("toy", "1"), "card.md").startswith("# toy version 1: promote")
    assert registry.version("toy", "2").refit_of == "1"
    assert {registry.version("toy", number).reason for number in "12"} == {"schedule"}

    assert refresh("toy", as_of=JANUARY).decision == "none"
    again = train("toy", as_of=JANUARY)
    assert (again.decision, again.challenger, again.champion, again.moved) == ("none", "1", "2", False)
    assert again.reason.startswith("Nothing was trained: version 1 was already trained on this data")
    assert len(registry.versions("toy")) == 2


def test_a_world_that_turned_is_learnt_and_the_old_champion_is_kept_as_previous(home, begun):
    begun(refreshed, JANUARY)
    outcome = refresh("toy", as_of=FEBRUARY)
    assert (outcome.decision, outcome.moved) == ("promote", True)
    registry = Stores.open().registry
    assert registry.version("toy", "previous").number == "2"
    assert registry.version("toy", "champion").number == outcome.champion


@pytest.mark.long
def test_a_version_is_judged_again_as_it_was_also_when_its_refit_answers_by_now(home, write_model, begun):
    begun(refreshed, JANUARY, FEBRUARY)
    registry = Stores.open().registry
    versions = len(registry.versions("toy"))
    for number, origin in {"1": "1", "2": "1", "challenger": "3", "champion": "3"}.items():
        then, again = (
            newest_judgement(registry, registry.version("toy", origin)),
            reevaluate(Stores.open(), "toy", number),
        )
        assert (again.version, again.against, again.verdict.decision) == (origin, then.against, "promote")
        assert (again.evidence.rows, again.evidence.looks) == (then.evidence.rows, then.evidence.looks)
        assert again.evidence.over_champion == then.evidence.over_champion
    write_model("\nmodel = model.model_copy(update={'gates': Gates(floor=0.001)})\n")
    assert reevaluate(Stores.open(), "toy", "champion").verdict.decision == "reject"
    assert len(registry.versions("toy")) == versions


def test_a_version_that_was_never_judged_meets_the_champion_of_now(home, write_model, begun):
    begun(refreshed, JANUARY)
    write_model("\n# the same recipe in another file\n")
    unjudged = fit.fn(Stores.open(), "toy", timestamp_of(JANUARY), "demand")
    again = reevaluate(Stores.open(), "toy", unjudged.number)
    assert (again.against, again.evidence.stand_in, again.verdict.decision) == ("2", "1", "promote")
    assert again.evidence.rows > 0


@pytest.mark.long
def test_a_champion_that_has_seen_the_holdout_is_met_as_it_was_before_its_refit(home, write_model, begun):
    begun(refreshed, JANUARY)
    write_model("\n# the same recipe in another file: the champion was refitted on all of its holdout\n")
    outcome = train("toy", as_of=JANUARY)
    assert (outcome.decision, outcome.moved) == ("promote", True)
    registry = Stores.open().registry
    judged = newest_judgement(registry, registry.champion("toy"))
    assert (judged.evidence.stand_in, judged.evidence.over_champion.value) == ("1", 0.0)


@pytest.mark.long
def test_where_the_world_turns_back_the_earlier_champion_comes_back(home, write_model, begun):
    write_model(TURNS_BACK)
    begun(refreshed, JANUARY, FEBRUARY)
    replaced = champion()
    outcome = refresh("toy", as_of=TURNED_BACK)
    assert (outcome.decision, outcome.champion, outcome.moved) == ("comeback", "2", True)
    registry = Stores.open().registry
    assert (champion(), registry.version("toy", "previous").number) == ("2", replaced)
    assert "Version 2 is reinstated: better than the champion by" in outcome.reason
    assert registry.version("toy", outcome.challenger).decision == "reject"

    again = train("toy", as_of=TURNED_BACK)
    assert (again.decision, again.champion, again.moved) == ("none", "2", False)


@pytest.mark.long
@pytest.mark.parametrize(("undecided", "paid"), [("champion", True), ("challenger", False)])
def test_a_second_look_at_the_same_holdout_is_counted_and_paid_for_by_what_proof_lets_in(
    home, write_model, worse, begun, undecided, paid
):
    begun(champion_with_a_week_to_come)
    worse += f"\ngates = model.gates.model_copy(update={{'undecided': '{undecided}'}})\n"
    worse += "model = model.model_copy(update={'gates': gates})\n"
    evidences = []
    for attempt in ("first", "second"):
        write_model(f"{worse}# {attempt}\n")
        challenger = train("toy", as_of=JANUARY).challenger
        registry = Stores.open().registry
        evidences.append(newest_judgement(registry, registry.version("toy", challenger)).evidence)
    assert [evidence.looks for evidence in evidences] == [0, 1]
    assert (evidences[1].over_champion.low < evidences[0].over_champion.low) == paid


@pytest.mark.long
def test_a_refit_that_disagrees_is_kept_but_the_judged_version_is_promoted(home, write_model):
    write_model("\nmodel = model.model_copy(update={'training': Training(window='21d', refit_tolerance=0)})\n")
    outcome = refresh("toy", as_of=JANUARY)
    assert (outcome.decision, outcome.champion, champion()) == ("promote", "1", "1")
    assert Stores.open().registry.version("toy", "2").refit_of == "1"


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(("nan", "gate"), [(False, "not worse than the champion"), (True, "finite predictions")])
def test_a_challenger_that_is_worse_or_predicts_nan_is_rejected_and_moves_nothing(
    home, write_model, worse, nan, gate, begun
):
    begun(champion_with_a_week_to_come)
    write_model(NAN if nan else worse)
    outcome = train("toy", as_of=JANUARY)
    assert outcome.decision == "reject"
    assert gate in outcome.reason
    assert train("toy", as_of=JANUARY).reason.endswith("Its verdict is unchanged: reject.")
    assert champion() == "2"
    assert Stores.open().registry.version("toy", "challenger").decision == "reject"


@pytest.mark.long
@pytest.mark.parametrize(
    ("spoil", "column"),
    [
        ("frame.assign(y=frame['y'] * 1000)", "y"),
        ("frame.drop(columns='x')", "x"),
        ("frame.assign(id='one')", "id"),
        ("frame.assign(x='high')", "x"),
        ("frame.assign(x=float('inf'))", "x"),
        ("frame.assign(at=frame['at'] + pd.Timedelta(days=900))", "at"),
        ("frame.assign(at=pd.NaT)", "at"),
    ],
)
def test_a_batch_that_breaks_its_contract_goes_whole_into_quarantine(home, write_model, spoil, column):
    ingest("toy", as_of=datetime(2013, 1, 15, tzinfo=UTC))
    write_model(
        f"\ndef spoilt(since, until):\n    frame = rows(since, until)\n    return {spoil}\n"
        "model = model.model_copy(update={'source': Call(function=spoilt, start='2013-01-01', batch='7d')})\n"
    )
    (batch,) = ingest("toy", as_of=datetime(2013, 1, 22, tzinfo=UTC))
    assert batch.fate == "quarantined"
    (entry,) = Stores.open().quarantine.entries("toy")
    assert column in {failure.column for failure in entry.failures}
    assert Stores.open().lake.query(loader.load("toy"), "SELECT count(*) AS n FROM rows")["n"][0] == 700

    write_model()
    assert [batch.fate for batch in ingest("toy", as_of=JANUARY)] == ["landed"]
    assert refresh("toy", as_of=JANUARY).decision == "promote"


def test_a_batch_is_released_once_or_dropped_for_good(home, write_model):
    write_model(
        "\nmodel = model.model_copy(update={'contract': [expect('column_mean_to_be_between', 'y', max_value=0)]})\n"
    )
    first, second = ingest("toy", as_of=datetime(2013, 1, 15, tzinfo=UTC))
    toy = loader.load("toy")
    assert (
        release(
            Stores.open().lake, Stores.open().quarantine, toy, first.batch, "the bound was wrong", timestamp_of(JANUARY)
        ).new
        == 350
    )
    assert release(Stores.open().lake, Stores.open().quarantine, toy, first.batch, "", timestamp_of(JANUARY)).new == 0
    quarantine = Stores.open().quarantine
    quarantine.close(quarantine.entry("toy", second.batch), "dropped", "a test")
    with pytest.raises(QuarantineError, match="was dropped before"):
        release(Stores.open().lake, Stores.open().quarantine, toy, second.batch, "", timestamp_of(JANUARY))
    assert Stores.open().lake.query(toy, "SELECT count(*) AS n FROM rows")["n"][0] == 350
    assert ingest("toy", as_of=datetime(2013, 1, 15, tzinfo=UTC)) == []


@pytest.mark.long
def test_a_second_training_of_a_model_ends_at_once(home, begun):
    begun(ingested, JANUARY)
    with model_lock("toy", "train"), pytest.raises(BusyError, match="already"):
        train("toy", as_of=JANUARY)
    assert train("toy", as_of=JANUARY).decision == "promote"


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        ("'estimator': lambda: 1 / 0", TrainingError, "ZeroDivisionError"),
        ("'label_delay': DAY * 900", NotEnoughDataError, "no label is known"),
        ("'training': Training(min_rows=10**6)", NotEnoughDataError, "at least 1000000 are needed"),
        ("'training': Training(holdout='900d')", NotEnoughDataError, "0 labelled rows"),
    ],
)
def test_a_training_that_cannot_be_says_why_and_moves_nothing(home, write_model, more, error, says, begun):
    begun(refreshed, JANUARY)
    write_model(f"\nmodel = model.model_copy(update={{{more}}})\n")
    with pytest.raises(error, match=says):
        train("toy", as_of=JANUARY)
    assert champion() == "2"


SOURCE = "model = model.model_copy(update={{'source': {0}, 'contract': []}})"


@pytest.mark.long
@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        (
            "lost = lambda since, until: rows(since, until).assign(y=np.nan)\n"
            + SOURCE.format("Call(function=lost, start='2013-01-01')"),
            NotEnoughDataError,
            "toy: no label is known by 2013-01-29",
        ),
        (
            "from sklearn.linear_model import LogisticRegression\n"
            "one = lambda since, until: rows(since, until).assign(y=1)\n"
            "model = Model(name='toy', task='classification', source=Call(function=one, start='2013-01-01'), key='id',"
            " time='at', target='y', features={'x': 'number'}, estimator=LogisticRegression)",
            NotEnoughDataError,
            "toy: every label in the training window is 1",
        ),
        (SOURCE.format("Files(path='gone/*.parquet')"), SourceError, "No file matches .*gone"),
        (
            "none = lambda since, until: rows(since, until).head(0)\n"
            + SOURCE.format("Call(function=none, start='2013-01-01')"),
            NoRowsError,
            "toy has no rows yet",
        ),
    ],
    ids=["no label", "one class", "no file", "no row"],
)
def test_data_that_nothing_can_be_learnt_from_is_told_in_a_sentence(home, write_model, more, error, says):
    write_model(f"\nfrom evergreen import Files\n{more}\n")
    with pytest.raises(error, match=says) as caught:
        refresh("toy", as_of=JANUARY)
    assert "\n" not in str(caught.value)
    assert Stores.open().registry.versions("toy") == []


def test_a_source_that_was_away_once_is_asked_again(home, write_model, calls):
    write_model(calls.counted("rows", fails=1) + SOURCE.format("Call(function=counted, start='2013-01-01')"))
    (batch,) = ingest("toy", as_of=JANUARY)
    assert (batch.fate, calls.count()) == ("landed", 2)


@pytest.mark.parametrize(
    ("doing", "more", "error"),
    [
        ("ingest", "contract=[expect('column_values_to_be_in_set', 'y', value_set=7)]", ContractError),
        ("shape", "contract=[]", SourceShapeError),
        ("train", "estimator=lambda: counted(None, None) / 0", TrainingError),
    ],
)
def test_what_trying_again_cannot_help_is_tried_once(home, write_model, calls, doing, more, error):
    write_model()
    if doing == "train":
        ingest("toy", as_of=JANUARY)
        write_model(calls.counted("lambda *_: 1") + f"model = model.model_copy(update=dict({more}))")
    else:
        source = "source=Call(function=counted, start='2013-01-01')"
        given = "rows" if doing == "ingest" else "lambda *_: 'no table'"
        write_model(calls.counted(given) + f"model = model.model_copy(update=dict({source}, {more}))")
    with pytest.raises(error):
        (train if doing == "train" else ingest)("toy", as_of=JANUARY)
    assert calls.count() == 1


def test_the_form_offers_the_models():
    assert "enum" in train.parameters.properties["model"]
    assert train.parameters.properties["reason"]["description"].startswith("The trigger")


OWN_GATES = """
from evergreen import Check, Fairness

def remembers_the_intercept(challenger, champion, rows):
    far = abs(challenger.intercept_ - rows["y"].mean())
    return Check("intercept", "passed" if far < 1 else "failed", far, 1.0, f"{len(rows)} rows, champion {champion}")

gates = Gates(resamples=200, fairness=[Fairness(column="side", error=0.2)], own=[remembers_the_intercept])
model = model.model_copy(update={"gates": gates})
"""


@pytest.mark.long
def test_gates_of_ones_own_and_between_groups_are_part_of_the_verdict(home, write_model):
    write_model(OWN_GATES)
    assert refresh("toy", as_of=JANUARY).decision == "promote"
    registry = Stores.open().registry
    checks = {check.name: check for check in newest_judgement(registry, registry.champion("toy")).verdict.checks}
    assert (checks["intercept"].outcome, checks["intercept"].detail) == ("passed", "350 rows, champion None")
    apart = checks["fairness of error by side"]
    assert (apart.outcome, apart.threshold) == ("passed", 0.2)
    write_model(OWN_GATES.replace("far < 1", "far < 0"))
    again = reevaluate(Stores.open(), "toy", "1")
    assert (again.verdict.decision, again.verdict.reason) == ("reject", "intercept: 350 rows, champion None.")
