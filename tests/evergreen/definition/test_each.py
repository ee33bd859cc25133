"""Many models of one template: each is found by its name, made of its own row, and broken by no other."""

import os
import time

import pytest

from evergreen import Model, files
from evergreen.definition import loader, model_code, model_files, templates
from evergreen.errors import ModelFileError

TEMPLATE = """
from sklearn.linear_model import LinearRegression
from evergreen import Call, Model

def store(name, number, city):
    return Model(
        name=name, purpose=f"Sales in {city}.", task="regression", source=Call(function=print), key="id", time="at",
        target="y", features={"x": "number"}, estimator=LinearRegression,
    )

models = Model.each(store, over="stores.csv", name="stores_{number}")
"""
ROWS = "number,city\n1,Rome\n2,Oslo\n17,Lima\n"


def single(name):
    return TEMPLATE.split("models =")[0] + f"model = store({name!r}, 0, 'Bern')\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of model files: one of three models, and one of one."""
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path))
    (tmp_path / "stores.py").write_text(TEMPLATE)
    (tmp_path / "stores.csv").write_text(ROWS)
    (tmp_path / "good.py").write_text(single("good"))
    return tmp_path


def test_each_row_is_a_model_of_its_own(folder):
    assert loader.names() == ["good", "stores_1", "stores_17", "stores_2"]
    assert (loader.load("stores_17").name, loader.load("stores_17").purpose) == ("stores_17", "Sales in Lima.")
    assert loader.path_of("stores_17") == folder / "stores.py"
    assert model_files.files_of("stores_2") == [folder / "stores.py", folder / "stores.csv"]
    assert loader.load("stores_1") is loader.load("stores_1")


@pytest.mark.parametrize(
    "over",
    [
        '[{"number": 1, "city": "Rome"}, {"number": 17, "city": "Lima"}]',
        '({"number": n, "city": "Lima"} for n in (1, 17))',
        'pathlib.Path("stores.csv")',
    ],
)
def test_rows_come_from_the_file_itself_or_from_a_csv(folder, over):
    (folder / "stores.py").write_text("import pathlib\n" + TEMPLATE.replace('"stores.csv"', over))
    assert {"stores_1", "stores_17"} <= set(loader.names())
    assert loader.load("stores_17").purpose == "Sales in Lima."


def test_one_model_is_asked_for_and_neither_other_rows_nor_other_files_run(folder):
    told = "\n    open(__file__ + name, 'w').close()\n    return Model("
    (folder / "stores.py").write_text(TEMPLATE.replace("\n    return Model(", told))
    (folder / "good.py").write_text("open(__file__ + 'ran', 'w').close()")
    loader.load("stores_17")
    assert sorted(path.name for path in folder.glob("*.py?*")) == ["stores.pystores_17"]


def test_what_makes_a_model_is_its_template_and_its_own_row(folder):
    before = {name: (loader.fingerprint(name), loader.code_of(name).digest) for name in loader.names()}
    assert len(set(before.values())) == 4
    (folder / "stores.csv").write_text(ROWS.replace("Oslo", "Kyiv") + "18,Quito\n")
    after = {name: (loader.fingerprint(name), loader.code_of(name).digest) for name in before}
    assert [name for name in before if before[name] != after[name]] == ["stores_2"]
    assert loader.load("stores_2").purpose == "Sales in Kyiv."
    assert loader.code_of("stores_1").package == loader.code_of("stores_2").package  # Python is loaded once
    (folder / "stores.py").write_text(TEMPLATE.replace("Sales", "Visitors"))
    assert all(loader.fingerprint(name) != before[name][0] for name in before if name != "good")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_csv_of_excel_reads_as_any_other_and_is_the_same_row(folder, newline, mark):
    before = loader.fingerprint("stores_17")
    text = ROWS.replace("Lima", '"Lima"').replace("\n", newline) + newline
    (folder / "stores.csv").write_text(mark + text, newline="")
    assert loader.load("stores_17").purpose == "Sales in Lima."
    assert loader.fingerprint("stores_17") == before


BROKEN = {
    "a template that raises": (
        TEMPLATE.replace('task="regression"', 'task=["regression"][0 // (int(number) - 2)]'),
        ROWS,
        r"stores.py, row 2 of stores.csv \(stores_2\) does not run: ZeroDivisionError",
    ),
    "an invalid model": (
        TEMPLATE.replace('target="y"', "target=city"),
        ROWS.replace("Oslo", "x"),
        r"stores.py, row 2 of stores.csv \(stores_2\): model: .*the label is never a feature",
    ),
    "a row twice": (TEMPLATE, ROWS + "2,Turin\n", "stores.py: rows 2 and 4 of stores.csv are both 'stores_2'"),
    "no model": (
        TEMPLATE.replace("return Model(", 'return "Oslo" if city == "Oslo" else Model('),
        ROWS,
        r"row 2 of stores.csv \(stores_2\): the template returned str, and no Model",
    ),
    "another name": (
        TEMPLATE.replace("name=name", 'name="x" if number == "2" else name'),
        ROWS,
        "the template made 'x'. Hand its `name` on",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_row_that_makes_no_model_is_named_and_harms_no_other(folder, fault):
    text, rows, message = BROKEN[fault]
    (folder / "stores.py").write_text(text)
    (folder / "stores.csv").write_text(rows)
    with pytest.raises(ModelFileError, match=message):
        loader.load("stores_2")
    assert [loader.load(name).name for name in ("stores_1", "stores_17")] == ["stores_1", "stores_17"]
    assert loader.names() == ["good", "stores_1", "stores_17", "stores_2"]


UNUSABLE = {
    "a row too short": (TEMPLATE, ROWS + "18\n", "stores.csv, row 4: it has 1 values, and the header has 2 names"),
    "a row too long": (TEMPLATE, ROWS + "18,Quito,x\n", "row 4: it has 3 values, and the header has 2 names"),
    "a name that is none": (TEMPLATE, ROWS.replace("2,", "B,"), "row 2: 'stores_B' is no name of a model"),
    "a path as a name": (TEMPLATE, ROWS.replace("2,", "../x,"), "row 2: 'stores_../x' is no name of a model"),
    "another beginning": (
        TEMPLATE.replace('name="stores_{number}"', 'name="{city}"'),
        ROWS.replace("Oslo", "oslo"),
        "'Rome' is no name.*and 2 more",
    ),
    "of another file": (
        TEMPLATE.replace('name="stores_{number}"', 'name="shop_{number}"'),
        ROWS,
        "row 1: 'shop_1' does not begin with 'stores_'",
    ),
    "a value that there is not": (
        TEMPLATE.replace('name="stores_{number}"', 'name="stores_{town}"'),
        ROWS,
        "'stores_{town}' cannot be made of it: KeyError: 'town'",
    ),
    "no value of a list": (
        TEMPLATE.replace('name="stores_{number}"', 'name="stores_{number[x]}"'),
        ROWS,
        "cannot be made of it: TypeError",
    ),
    "a missing value": (
        TEMPLATE.replace('"stores.csv"', '[{"number": None, "city": "Rome"}]').replace("{number}", "{number:03}"),
        ROWS,
        "cannot be made of it: TypeError",
    ),
    "a value `name`": (TEMPLATE, ROWS.replace("number,city", "number,name"), "row 1: it has a value `name`"),
}


@pytest.mark.parametrize("fault", UNUSABLE)
def test_a_row_that_has_no_name_is_told_under_the_name_of_its_file(folder, fault):
    text, rows, message = UNUSABLE[fault]
    (folder / "stores.py").write_text(text)
    (folder / "stores.csv").write_text(rows)
    assert "stores" in loader.names()
    with pytest.raises(ModelFileError, match=message):
        loader.load("stores")
    for name in set(loader.names()) - {"stores"}:
        assert isinstance(loader.load(name), Model)


FILES = {
    "a syntax error": (TEMPLATE + "(", ROWS, r"stores.py, line \d+: '\(' was never closed"),
    "raising": (TEMPLATE + "1 / 0", ROWS, "stores.py does not run: ZeroDivisionError"),
    "no table": (TEMPLATE.replace('"stores.csv"', '"shops.csv"'), ROWS, "the table .*shops.csv cannot be read"),
    "a table elsewhere": (TEMPLATE.replace('"stores.csv"', '"../s.csv"'), ROWS, "lies outside of the folder of the mo"),
    "no text": (TEMPLATE, b"number\n\xff", "the table .*stores.csv cannot be read: .*utf-8"),
    "no header": (TEMPLATE, "\n", "its first line is no header"),
    "a column twice": (TEMPLATE, "number,number\n1,2\n", "its first line is no header"),
    "an open quote": (TEMPLATE, ROWS + '18,"Quito\n', "stores.csv cannot be read: unexpected end of data"),
    "one model as well": (TEMPLATE + "model = store('stores', 1, 'x')", ROWS, "defines both `model` and `models`"),
    "no function": (TEMPLATE.replace("each(store", "each(7"), ROWS, "takes a function that returns a Model, not 7"),
    "a class": (TEMPLATE.replace("each(store", "each(Model"), ROWS, "takes a function that returns a Model, not <cl"),
    "rows that are none": (TEMPLATE.replace('"stores.csv"', "[1]"), ROWS, "goes over rows that are dicts.*not 1"),
    "text as a number": (
        TEMPLATE.replace("{number}", "{number:03}"),
        ROWS,
        r"values of a CSV are text, which \{number:03\} of the name cannot format",
    ),
    "other models": (TEMPLATE + "models = []", ROWS, "`models` is list. Write `models = Model.each"),
}


@pytest.mark.parametrize("fault", FILES)
def test_a_broken_file_is_told_once_and_for_each_of_its_models_and_others_work(folder, fault):
    text, rows, message = FILES[fault]
    (folder / "stores.py").write_text(text)
    (folder / "stores.csv").write_bytes(rows if isinstance(rows, bytes) else rows.encode())
    assert loader.names() == ["good", "stores"]
    for name in ("stores", "stores_17"):
        assert model_files.is_declared(name)  # it may be, so that nothing of it is taken away
        with pytest.raises(ModelFileError, match=message):
            loader.load(name)
    assert loader.load("good").name == "good"
    assert model_files.files_of("stores_17")[0] == folder / "stores.py"


def test_two_files_that_define_one_model_are_both_named(folder):
    (folder / "stores_17.py").write_text(single("stores_17"))
    with pytest.raises(ModelFileError, match=r"stores_17 is defined by .*stores_17\.py and by .*stores\.py\. Rename"):
        loader.load("stores_17")
    assert loader.load("stores_1").name == "stores_1"
    (folder / "stores.py").write_text(TEMPLATE + "1 / 0")  # a broken one may define it, and harms no other
    assert loader.load("stores_17").purpose == "Sales in Bern."


def test_a_model_that_no_row_makes_is_not_there(folder):
    assert not model_files.is_declared("stores_18")
    with pytest.raises(ModelFileError, match=r"no model 'stores_18'.*Models: good, stores_1, stores_17, stores_2\. "):
        loader.load("stores_18")
    with pytest.raises(ModelFileError, match=r"defines 3 models, and none is 'stores'\. Name one of them, such as"):
        loader.load("stores")
    (folder / "stores.csv").write_text("number,city\n")
    assert loader.names() == ["good"]
    with pytest.raises(ModelFileError, match="There are no rows"):
        loader.load("stores")
    (folder / "stores.csv").write_text("number,city\n" + "".join(f"{number},Rome\n" for number in range(1000)))
    with pytest.raises(ModelFileError, match="and 981 more"):
        loader.load("nothing")


def test_a_longer_name_of_a_file_comes_first(folder):
    (folder / "stores_old.py").write_text(TEMPLATE.replace("stores_{number}", "stores_old_{number}"))
    assert loader.path_of("stores_old_2") == folder / "stores_old.py"
    assert loader.load("stores_old_2").name == "stores_old_2"


def test_the_order_of_the_columns_is_none_of_a_model(folder):
    before = loader.fingerprint("stores_17")
    (folder / "stores.csv").write_text("city,number\nLima,17\n")
    assert loader.fingerprint("stores_17") == before


def test_a_file_of_one_model_may_tell_of_many_in_its_text(folder):
    (folder / "good.py").write_text('"""Not as\n\nmodels = Model.each(store)\n"""\n' + single("good"))
    assert loader.load("good").name == "good"


def test_another_way_to_write_many_models_is_told_how_to_write_it(folder):
    (folder / "good.py").write_text(TEMPLATE.replace("models = Model.each(", "models = (\n    Model.each(") + ")\n")
    with pytest.raises(ModelFileError, match=r"Write `models = Model.each\(` in one line"):
        loader.load("good")


def test_a_file_that_changes_while_it_runs_is_run_again(folder, monkeypatch):
    monkeypatch.setattr(files, "_SETTLED", 0)
    run = model_code.run

    def slow(path, code):
        found = run(path, code)
        (folder / "stores.csv").write_text(ROWS.replace("Lima", "Quito"))
        later = time.time_ns() + 10**9
        os.utime(folder / "stores.csv", ns=(later, later))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(model_code, "run", slow)
        patch.setattr(templates, "_text", lambda path, each: ROWS)
        assert loader.load("stores_17").purpose == "Sales in Lima."
    assert loader.load("stores_17").purpose == "Sales in Quito."
