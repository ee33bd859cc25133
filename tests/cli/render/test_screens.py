"""What commands print fits terminals of 80 and of 200 columns: no word in pieces, no long prose, no wide gap."""

import importlib
import io
import pkgutil
import re
from inspect import isfunction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

import cli.render
from cli.render import (
    advice,
    ci,
    demo,
    experiments,
    governance,
    inspect,
    loop,
    migrate,
    operate,
    project,
    quarantine,
    replay,
    security,
    start,
    stores,
)
from cli.render.parts import READABLE, readable, table_of
from evergreen.definition import loader
from evergreen.definition.feasibility.finding import Finding
from evergreen.definition.gates import Check
from evergreen.evaluation.bootstrap import Interval
from evergreen.exit_codes import Exit
from evergreen.gates.advice import Advice
from evergreen.gates.known_bad import Diagnosis
from evergreen.gates.verdict import Verdict
from evergreen.governance.audit import Verified
from evergreen.governance.erasure import Erased
from evergreen.governance.exposure import Exposure, File
from evergreen.governance.integrity import Examination
from evergreen.governance.listeners import Process
from evergreen.governance.store_checks import StoreCheck
from evergreen.ingestion.batch import Ingested
from evergreen.ingestion.contract import Result
from evergreen.ingestion.quarantine import Entry
from evergreen.ingestion.schema import cast
from evergreen.lifecycle.decision import Decision
from evergreen.lifecycle.decision_log import Entry as Decided
from evergreen.lifecycle.outcome import Outcome
from evergreen.lifecycle.status import Status
from evergreen.replay.result import Replayed
from evergreen.replay.result import Result as PolicyResult
from evergreen.reports.replay_page import ReplayPage
from evergreen.scaffold.team_repository import Change as Difference
from evergreen.scaffold.team_repository import Written

MODEL = "demand_by_store_and_region"
BATCH = "20261129T211757-3e1c"
COLUMN = "Dew_point_temperature_in_[celsius]"
WHY = (
    f"data quality: no rows since 2018-11-30 23:00; drift of {COLUMN}: jensen_shannon_distance 0.231, above 0.182; "
    "the reference spans 365 days, and its newest 26 weeks are compared with the last week before this run"
)
CODE = f'training=Training(holdout="36d", window="365d"),  # the rows of the last year{" as tried" * 10}'
PATH = Path("/srv/somewhere/a folder of work/published/reports/of/all/models/by/store/and/region") / f"{MODEL}.html"
CHECKS = [Check(name, "passed", 1.0, 2.0, WHY) for name in ("no earlier champion is better", "repeats in a process")]
ADVICE = Advice(MODEL, "1", WHY, [], [], CODE, f"evergreen train {MODEL}")
FINDINGS = [Finding("trigger: drift from version 12", "not yet", WHY, CODE, "2026-11-29")]
RESULTS = [
    Result("expect_column_values_to_be_between", COLUMN, success=False, warn=False, expected="0 to 1", found=WHY)
]
DRAFT: Any = SimpleNamespace(
    name=MODEL, rows=8760, path=PATH, time="time", key=["time", "shop"], target=COLUMN, task="regression",
    why=dict.fromkeys(("time", "key", "target", "task", "label_delay", "label_time"), "'Date' and 'Hour' together"),
    features={f"feature {place} of {COLUMN}": "number" for place in range(30)}, notes={COLUMN: WHY},
    left_out={COLUMN: "part of the time"}, findings=FINDINGS, label_delay="138h", label_time=COLUMN,
    unusual_form="cp1250, semicolons", source=SimpleNamespace(passed_over=lambda: WHY),
)  # fmt: skip
DRIFT = PolicyResult(
    "when drift is found", "root_mean_squared_error", 123.4, 111.1, 133.3, regret=Interval(12.3, 1.2, 23.4),
    worst_week=201.3, trainings=12, promotions=11, wrong_promotions=1, cpu_seconds=1234.0, lines=CODE, problem=WHY,
)  # fmt: skip
REPLAY = ReplayPage(
    Replayed(MODEL, DRIFT.metric, "2013-01-01", "2014-01-01", 7.0, [DRIFT] * 3, DRIFT.name, WHY), str(PATH), ""
)
VERSION: Any = SimpleNamespace(
    number="12", aliases=("champion", "rolled-back"), decision="promote", refit_of="11", trial_decision="promote",
    reason="performance", train_until=None, rows=123456,
)  # fmt: skip
REPRODUCED: Any = SimpleNamespace(
    model=MODEL, version="12", environment=[WHY], same=False, first=WHY,
    findings=[SimpleNamespace(version="12", what="the rows of the training", same=False, detail=WHY)],
)  # fmt: skip
STATE = {"champion": "12", "new_rows": 123456}
CHANGE: Any = SimpleNamespace(
    model=MODEL, reason="airtime.py changed, lib/encoders.py changed", compared=None, problems=[], notes=[WHY],
    head=SimpleNamespace(decision="promote"), verdict="not enough evidence", code=Exit.UNDECIDED,
)  # fmt: skip
VARIANT: Any = SimpleNamespace(
    name="training.window=56d", found="better", gain=Interval(1.2, -0.4, 2.8), value=Interval(12.3, 11.2, 13.4),
    worst=None, problems=[WHY],
)  # fmt: skip
TRIED: Any = SimpleNamespace(
    page=str(PATH),
    compared=SimpleNamespace(
        model=MODEL, metric="root_mean_squared_error", own=VARIANT, variants=[VARIANT], results=[VARIANT], best=None,
        note=WHY, sentence=WHY, until="2026-11-29",
    ),
)  # fmt: skip
ACT: Any = SimpleNamespace(
    model=MODEL,
    number=12,
    at="2026-11-29T21:17:57",
    act="ingest",
    subject=BATCH,
    by="ada",
    details={"fate": "landed", "notes": [WHY]},
)
ORIGIN: Any = SimpleNamespace(
    model=MODEL, version="12", promoted_at="2026-11-29T21:17", approved_by="ada", judged="11", verdict="promote",
    against="10", as_of="2026-11-29T21:17", trigger="drift", environment="staging", run="0" * 32, window=WHY,
    evergreen="0.1.0", python="3.11.7", commit="a" * 40, lock="b" * 12, modules=["lib.encoders"], model_file="c" * 12,
    stored_model="d" * 64, data_from="2025-11-29", data_until="2026-11-29", rows=123456, table_version=12, served=12,
    scored=34, batches=[SimpleNamespace(rows=8760, batch=BATCH, source="rows.csv", released_by="ada")],
)  # fmt: skip
PREDICTION: Any = SimpleNamespace(id="r-12", label="1.5", answer=[1.25], asked_at="2026-11-29T21:17", role="champion")
FOLLOWED: Any = SimpleNamespace(model=MODEL, batch=BATCH, rows=8760, acts=[ACT], versions=[], origins=[])
MIGRATED: Any = SimpleNamespace(
    migration=SimpleNamespace(to=2, title="versions record a digest", why=WHY, alongside=True, opens_from=1),
    changes=[SimpleNamespace(model=MODEL, where="version 12", what="its digest is recorded", left=WHY)],
)  # fmt: skip
DEPLOYED: Any = SimpleNamespace(
    waiting="", commit="a" * 40, before="b" * 40, changed=True, server="http://127.0.0.1:4200/api",
    registered=SimpleNamespace(names=["refresh", "ingest", "train", "monitor", "score"], notes=[WHY]),
)  # fmt: skip
PARTS: Any = {
    "metadata": {"component": {"name": "team", "version": "1"}},
    "components": [{"scope": "required", "licenses": []}],
}
SCREENS: dict[str, Any] = {
    "status": inspect.statuses([Status(MODEL, "12", "2026-11-29", "2018-11-30T23:00", "", "promote", 2, WHY)]),
    "models": inspect.versions(MODEL, [VERSION, VERSION]),
    "verdict": inspect.judged(
        SimpleNamespace(model=MODEL, version="12", verdict=Verdict("promote", WHY, CHECKS), reinstated=""),  # type: ignore[arg-type]
        ADVICE,
    ),
    "why": inspect.decisions(MODEL, [Decided(MODEL, "2026-11-29T21:26", "monitor", "roll back", WHY, STATE)], ADVICE),
    "ingest": loop.ingested(
        MODEL, [Ingested(MODEL, BATCH, "", "2026-11-29T21:17", "quarantined", 8760, 8760, 0, 0, None, [WHY])]
    ),
    "train": loop.outcome(Outcome(MODEL, "promote", WHY, "1", "2", True, [BATCH], ADVICE, [WHY])),
    "monitor": loop.decided(MODEL, Decision("alert", WHY)),
    "advice": advice.advised(ADVICE),
    "quarantine": quarantine.entries([Entry(MODEL, BATCH, "", "", "", 8760, "released", RESULTS)] * 2),
    "quarantine show": quarantine.entry(Entry(MODEL, BATCH, "", "", "", 8760, "held", RESULTS), str(PATH)),
    "audit --verify": governance.proofs([Verified(MODEL, 12345, 12, 1, "0" * 64, [WHY])]),
    "reproduce": governance.reproduced(REPRODUCED),
    "erase": governance.erased(Erased(MODEL, {"rows": 12345, "quarantine": 0}, list("123"), list("45"), [WHY])),
    "doctor": governance.checked(MODEL, [Examination("every row is unique, and its batch is logged", [WHY])], FINDINGS),
    "doctor --gates": governance.diagnoses(
        MODEL, [Diagnosis("learned from shuffled labels", "better than the dummy", "reject", ["floor"], WHY)], []
    ),
    "doctor --security": security.exposure(
        Exposure([Process(12345, "prediction service")], [], [File(str(PATH), "all local state", "0755", WHY)], 0)
    ),
    "new": start.drafted(DRAFT),
    "replay": replay.replayed(REPLAY),
    "ci": ci.checked([CHANGE], "main", str(PATH)),
    "try": experiments.compared(TRIED),
    "audit": governance.acts([ACT]),
    "lineage": governance.origin_tree(ORIGIN, PREDICTION),
    "lineage --batch": governance.followed_tree(FOLLOWED),
    "doctor --judging": governance.judged(MODEL, FINDINGS),
    "models without a model": inspect.listed([MODEL, "airtime"]),
    "migrate": migrate.shown([MIGRATED], str(PATH.parent), 1, check=True),
    "deploy": operate.deployed(DEPLOYED),
    "init": project.repository(Written(str(PATH.parent), ["models/.gitkeep"], ["Makefile"], locked=False)),
    "upgrade": project.differences([Difference("Makefile", yours=True, diff="-a\n+b")], check=True),
    "sbom": project.listed(PARTS, "sbom.json"),
    "doctor --stores": stores.store_checks([StoreCheck("lake", "s3://bucket/production/lake", [WHY], [WHY])]),
    "demo": demo.months(SimpleNamespace(metric="error", months=[("2013-01", 1.0, 2.0)])),  # type: ignore[arg-type]
}
COPIED = {CODE, str(PATH), WHY}  # lines that are as they are; of prose only where it has commands to copy


def _lines(shown: Any, width: int) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    console.print(readable(shown), crop=False)
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("name", SCREENS)
def test_words_stay_whole_and_lines_fit(name, width):
    lines = [line for line in _lines(SCREENS[name], width) if line.strip() not in COPIED and str(PATH) not in line]
    assert max(map(len, lines)) <= width
    words = {word.strip("';:,.") for line in lines for word in line.split()}
    content = {word.strip("';:,.") for text in (MODEL, BATCH, WHY) for word in text.split()}
    pieces = {
        word for word in words - content for whole in content if len(word) > 3 and len(whole) > 12 and word in whole
    }
    assert not pieces - {"reference", "region", "2018", "compared", "store"}
    assert not any(re.search(r"\S {50,}\S", line) for line in lines)


@pytest.mark.parametrize("name", SCREENS)
def test_prose_is_in_lines_that_can_be_read(name):
    outside = [line for line in _lines(SCREENS[name], 200) if line.strip() not in COPIED and str(PATH) not in line]
    assert all(len(part) <= READABLE for line in outside for part in re.split(r"  +", line))


@pytest.mark.parametrize("name", ["train", "verdict", "replay"])
def test_lines_to_copy_are_in_one_piece(name):
    assert CODE in _lines(SCREENS[name], 80)


def test_a_path_is_never_cut():
    assert any(line.endswith(str(PATH)) for line in _lines(SCREENS["doctor --security"], 80))


def test_every_function_that_renders_a_screen_is_among_the_screens():
    """Else it is tried at no width at all."""
    names = [found.name for found in pkgutil.iter_modules(cli.render.__path__) if found.name != "parts"]
    modules = [importlib.import_module(f"cli.render.{name}") for name in names]
    public = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in modules
        for name, thing in vars(module).items()
        if isfunction(thing) and thing.__module__ == module.__name__ and not name.startswith("_")
    }
    screens = Path(__file__).read_text().partition("SCREENS: dict")[2].partition("\n}\n")[0]
    assert public == {name for name in public if f" {name}(" in screens}


@pytest.mark.parametrize("width", [30, 80])
def test_a_column_that_is_to_be_copied_is_whole_wherever_it_stands(width):
    table = table_of("", "model", "why", uncut="model")
    table.add_row(MODEL, "a file of it was changed by a person who wanted to")
    shown = _lines(table, width)
    assert any(line.split("  ")[0] == MODEL for line in shown), shown


def test_brackets_are_text():
    table = table_of("", "error [kWh]", "worst [/b]")
    table.add_row("price [red]", "[/bold]")
    assert _lines(table, 80) == ["error [kWh]  worst [/b]", "price [red]  [/bold]"]
    assert f"{MODEL}: [red]" in _lines(loop.decided(MODEL, Decision("[red]", WHY)), 80)  # type: ignore[arg-type]


def test_a_table_without_room_leaves_out_columns_without_a_value_before_it_becomes_paragraphs():
    table = table_of("", "name", "nothing at all", "value")
    table.add_row("a" * 30, "", "b" * 30)
    assert _lines(table, 90)[0].split() == ["name", "nothing", "at", "all", "value"]
    assert _lines(table, 64)[0].split() == ["name", "value"]
    assert _lines(table, 50) == ["a" * 30, f"    value: {'b' * 30}"]


def test_a_column_that_is_gone_is_named_in_quarantine_and_the_next_command_too(write_model):
    write_model()
    _, results = cast(pd.DataFrame({"id": ["a"], "other": [1.0]}), loader.load("toy"))
    shown = "\n".join(_lines(quarantine.entries([Entry("toy", BATCH, "", "", "", 1, "held", results)]), 200))
    assert "x: no such column" in shown
    assert "None" not in shown
    outcome = loop.outcome(Outcome("toy", "none", WHY, None, "2", False, [BATCH]))
    assert f"`evergreen quarantine show toy {BATCH}`" in " ".join(_lines(outcome, 200))
