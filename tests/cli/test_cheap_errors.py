"""A wrong word on the command line is told before anything large is imported, which costs seconds."""

import pytest

from cli import checks
from evergreen.errors import EvergreenError
from tests.cli.test_startup import HEAVY, ROWS, imported

__all__ = ["imported"]

TABLE = "id,at,x,z,y\n" + "".join(f"{row},2013-01-0{row}T00:00:00Z,{row}.5,{row}.25,{row}\n" for row in range(1, 9))
GONE = """
from evergreen import Files, Model

model = Model(
    name="gone", task="regression", source=Files(path="nowhere.csv"), key="id", time="at", target="y",
    features={"x": "number"}, estimator=lambda: None,
)
"""
REASON = ("--reason", "tests")
FILES = ("--input", "{folder}/table.csv", "--output", "{folder}/scored.csv")


@pytest.fixture
def folder(home, write_model, tmp_path):
    """A table, and the toy, whose file imports its estimator only where it is built."""
    path = write_model()
    text = path.read_text().replace("from sklearn.linear_model import LinearRegression\n", "")
    path.write_text(text.replace("estimator=LinearRegression", "estimator=lambda: None"))
    (path.parent / "gone.py").write_text(GONE)
    (path.parent / "broken.py").write_text("nonsense(")
    (tmp_path / "table.csv").write_text(TABLE)
    return tmp_path


@pytest.fixture
def modules_of(imported, folder, capfd, monkeypatch):
    """What a command imports that ends in an error."""
    monkeypatch.setenv("PREFECT_API_URL", "")  # as for a user who has set none
    return lambda words: imported(*[word.format(folder=folder) for word in words])


@pytest.mark.parametrize(
    "words",
    [
        ("ingest", "nobody"),
        ("train", "nobody"),
        ("refresh", "nobody"),
        ("monitor", "nobody"),
        ("score", "nobody", *FILES),
        ("replay", "nobody"),
        ("challenge", "nobody", "--judge"),
        ("approve", "nobody@1", *REASON),
        ("refuse", "nobody@1", *REASON),
        ("rollback", "nobody", *REASON),
        ("serve", "nobody"),
        ("key", "nobody"),
        ("replay", "toy", "--policies", "nonsense", "--step", "7x", "--nope"),
        ("train", "toy", "--reason", "nonsense"),
    ],
    ids=" ".join,
)
def test_a_wrong_name_or_option_imports_nothing_that_works_on_rows(modules_of, words):
    assert modules_of(words) & (HEAVY | ROWS) == set()


FEW = [
    ("train", "toy"),
    ("ingest", "broken"),
    ("ingest", "gone"),
    ("approve", "toy", *REASON),
    ("rollback", "toy", *REASON),
    ("approve", "toy@99", *REASON),
    ("score", "toy", "--input", "{folder}/none.csv", "--output", "{folder}/scored.csv"),
    ("score", "toy", *FILES, "--version", "99"),
    ("new", "other", "--from", "{folder}/table.csv", "--target", "none"),
]
MORE = [
    ("refresh", "broken"),
    ("refresh", "gone"),
    ("refuse", "toy", *REASON),
    ("challenge", "toy", "--judge"),
    ("carry", "toy", "--from", "nowhere"),
    ("monitor", "toy"),
    ("replay", "toy"),
    ("rollback", "toy", "--to", "99", *REASON),
    ("challenge", "toy", "--version", "99"),
    ("lineage", "toy@99"),
    ("reproduce", "toy@99"),
    ("gate", "nobody"),
    ("report", "nobody"),
    ("audit", "nobody"),
    ("doctor", "nobody"),
    ("model-card", "nobody"),
    ("look", "{folder}/none.csv"),
    ("new", "other", "--from", "{folder}/none.csv"),
    ("score", "toy", "--input", "{folder}/table.csv", "--output", "{folder}/scored.txt"),
    ("quarantine", "show", "toy", "none"),
]


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (lambda: checks.step("7x"), "step: a duration such as '30min'"),
        (lambda: checks.step("0d"), "step: '0d' should be longer than 0."),
        (lambda: checks.policies("toy", "never,nonsense"), "nonsense"),
        (lambda: checks.source("gone"), "No file matches .*nowhere.csv. Check `path`"),
    ],
)
def test_a_wrong_word_of_a_replay_or_of_a_source_is_told(folder, check, says):
    with pytest.raises(EvergreenError, match=says):
        check()


@pytest.mark.parametrize("words", [*FEW, *[pytest.param(words, marks=pytest.mark.slow) for words in MORE]])
def test_a_wrong_file_column_or_version_imports_neither_prefect_nor_mlflow_nor_scikit_learn(modules_of, words):
    assert modules_of(words) & HEAVY == set()
