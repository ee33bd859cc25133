"""The reference pages say what the code does: nothing is missing, and nothing is named that is not there."""

import ast
import re
from dataclasses import dataclass, fields

import pytest
from mkdocs.exceptions import PluginError

import evergreen
from docs import generate, hooks
from docs.reference_pages.model_file import require_described
from evergreen import Fairness, Gates
from evergreen.exit_codes import Exit
from evergreen.lake import prediction_log
from evergreen.lake.audit_log import Line
from evergreen.lake.lake import TABLES
from evergreen.settings import _EMBEDDED
from serving.errors import RequestError
from serving.http.app import application
from serving.metrics import Metrics
from serving.options import Limits
from tests.docs.pages import calls, coded, page, rows, section, texts
from tests.evergreen.gates.test_checks import CASES
from ui.api import application as api
from ui.formats import metrics
from ui.known.fleet import Known
from ui.pages import programs
from ui.site import Site

EVENT = re.compile(r"(?:evergreen\.)?((?:data|drift|performance|model)\.[a-z-]+)")


def first_cells(text):
    """What is written as code in the first cell of each row."""
    return {name for row in rows(text) for name in coded(row[0])}


@pytest.mark.parametrize("name", ["cli.md", "model-file.md", "api.md", "mlflow.md"])
def test_a_generated_page_is_as_the_code_makes_it(name):
    assert page(f"docs/reference/{name}") == generate.pages()[name], "run `make docs` and commit the page"


@dataclass
class Half:
    """A public class that says half.

    Attributes
    ----------
    told : int
        What it is.
    """

    told: int
    silent: int


def test_a_public_field_that_its_docstring_leaves_out_fails_the_build():
    with pytest.raises(SystemExit, match=r"Half describes no \['silent'\]"):
        require_described("Half", Half)


@pytest.mark.parametrize(("names", "expected"), [(["Model", "settings"], "lacks"), (["Model"], None)])
def test_a_public_name_that_the_page_leaves_out_fails_the_build(monkeypatch, names, expected):
    monkeypatch.setattr(evergreen, "__all__", names)
    if expected:
        with pytest.raises(PluginError, match=expected):
            hooks.on_env(None, None, None)
    else:
        hooks.on_env(None, None, None)


def test_every_event_is_listed_with_its_payload():
    text = page("docs/reference/events.md")
    listed = {name: coded(row[2]) for row in rows(text) for name in coded(row[0]) if name.startswith("evergreen.")}
    emitted: dict[str, set[str]] = {}
    for call in calls():
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        constants = [argument.value for argument in given if isinstance(argument, ast.Constant)]
        texts_given = [value for value in constants if isinstance(value, str)]
        for event in filter(None, map(EVENT.fullmatch, texts_given)):
            dicts = [node for part in given for node in ast.walk(part) if isinstance(node, ast.Dict)]
            keys = {key.value for literal in dicts for key in literal.keys if isinstance(key, ast.Constant)}
            emitted.setdefault(f"evergreen.{event[1]}", set()).update(keys)
    assert set(listed) == set(emitted)
    for event, keys in emitted.items():
        assert keys - {"model"} <= listed[event], event


def test_every_setting_is_listed():
    text = page("docs/reference/settings.md")
    listed = {name for name in coded(text) if re.fullmatch(r"[A-Z][A-Z0-9_]+", name)}
    own = {name for source in texts() for name in re.findall(r"\bEVERGREEN_[A-Z_]+\b", source)}
    assert own <= listed
    assert {name for name in listed if name.startswith("EVERGREEN_")} <= own
    values = dict(row for row in rows(text) if len(row) == 2)
    for name, value in _EMBEDDED.items():
        assert values[f"`{name}`"] == f"`{value.format(home='$EVERGREEN_HOME')}`"


def test_every_exit_code_has_its_cure():
    codes_section = section(page("docs/troubleshooting.md"), "Exit codes")
    assert {int(row[0]) for row in rows(codes_section)} == set(Exit)


def test_every_gate_and_its_setting_is_listed():
    text = page("docs/reference/gates.md")
    names = {name.strip() for row in rows(text) for name in row[0].split(",")}
    assert {case[0] for case in CASES} <= names  # a test of theirs sees to it that there is a case for every gate
    assert set(Gates.model_fields) <= coded(text)
    for name, value in re.findall(r"`(\w+)` ([\d.]+)", text):
        kind = Gates.model_fields.get(name) or Fairness.model_fields[name]
        assert kind.default == float(value), name


def test_every_table_of_the_lake_is_listed():
    assert set(re.findall(r"^## (\w+)$", page("docs/reference/tables.md"), re.M)) == set(TABLES)


def test_every_column_of_the_logs_is_listed():
    text = page("docs/reference/tables.md")
    assert first_cells(section(text, "audit")) == {field.name for field in fields(Line)}
    labelled = prediction_log.labels([{"ids": ["1"], "known": [None], "values": [1], "arrived": 0}])
    assert first_cells(section(text, "labels")) == {*labelled.column_names, "_landed"}
    line = {"ids": ["1"], "asked": [0], "latency": [1.0], "answers": [[1.0]], "rows": [[]], "beside": {}}
    answered = prediction_log.predictions([line], {"version": "1", "features": {}, "beside": {}, "timezone": "UTC"})
    assert first_cells(section(text, "served")) >= {*answered.column_names, "_landed"}


def test_every_route_and_metric_of_the_service_is_listed(tmp_path):
    text, meters = page("docs/reference/http.md"), Metrics(tmp_path)
    app = application(_Nothing(), _Nothing(), Limits(), meters)
    while not hasattr(app, "routes"):
        app = app.app
    listed = {path for row in rows(section(text, "Routes")) for path in re.findall(r"(/[\w{}/.]*)`", row[0])}
    routes = {route.path for route in app.routes}
    posts = {"/models/{model}/invocations", "/models/{model}/labels", "/invocations"}
    assert listed == routes | posts
    meters.record_request("m", 200, 0.1)
    meters.record_rows("m", "1", 1, dropped=1)
    meters.record_version("m", "1", None)
    kinds = {
        line.split()[2]: line.split()[3]
        for line in meters.exposition().decode().splitlines()
        if line.startswith("# TYPE")
    }
    kinds = {name: kind for name, kind in kinds.items() if not name.endswith("_created")}
    metrics = {name: row[1] for row in rows(section(text, "Metrics")) for name in coded(row[0])}
    assert metrics == kinds


def test_every_address_and_metric_of_the_web_ui_for_programs_is_listed():
    text, site = page("docs/reference/web-ui.md"), Site()
    paths = {f"/api{path}" for path in api.application(site).openapi()["paths"]} | {"/api", "/api/openapi.json"}
    paths |= {route.path for route in programs.router(site).routes} | {"/health"}
    assert {path for row in rows(section(text, "Addresses")) for path in coded(row[0])} == paths
    families = re.findall(r"^# TYPE (\S+) gauge$", metrics.exposition(Known()).decode(), re.M)
    assert [name for row in rows(section(text, "Metrics")) for name in coded(row[0])] == families


def test_every_error_of_the_service_is_listed():
    text = section(page("docs/reference/http.md"), "Errors")
    listed = {(int(row[0]), row[1].strip("`")) for row in rows(text)}
    raised = set()
    for call in calls():
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name == RequestError.__name__ and isinstance(call.args[0], ast.Constant):
            raised.add((call.args[0].value, call.args[1].value))
    assert raised <= listed
    assert {status for status, _ in listed} <= {status for status, _ in raised} | {404, 405}


class _Nothing:
    """No model, for the routes alone."""

    def __getattr__(self, name):
        return {}
