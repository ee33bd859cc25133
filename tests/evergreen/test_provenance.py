"""Lineage: hashes that change when what they stand for does, and only then."""

from importlib.metadata import version

import pandas as pd
import pytest

from evergreen import provenance
from tests.repository import git

ROWS = pd.DataFrame({"x": [1.0, 2.0, None], "y": ["a", "b", None]})


@pytest.fixture
def fresh():
    """Forget what was read of this checkout, before and after."""
    cached = (provenance.commit, provenance.lock_hash, provenance.requirements, provenance._locked)
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


@pytest.mark.parametrize(
    ("change", "alike"),
    [
        (lambda rows: rows.copy(), True),
        (lambda rows: rows.set_index(pd.Index([7, 8, 9])), True),
        (lambda rows: rows.iloc[::-1], False),
        (lambda rows: rows.iloc[:2], False),
        (lambda rows: rows.assign(x=[1.0, 2.0, 0.0]), False),
        (lambda rows: rows.assign(y=["a", "b", "nan"]), False),
        (lambda rows: rows.rename(columns={"x": "z"}), False),
        (lambda rows: rows[["y", "x"]], False),
    ],
    ids=["a copy", "the index", "the order", "a row less", "a value", "a gap filled", "a name", "columns swapped"],
)
def test_the_hash_of_the_data_is_of_values_order_and_names(change, alike):
    assert (provenance.data_hash(change(ROWS)) == provenance.data_hash(ROWS)) == alike


@pytest.mark.parametrize("other", [["a", 2], ["a", "1", ""], ["1", "a"], ["a1"], []])
def test_a_fingerprint_is_of_every_part_and_their_order(other):
    assert provenance.fingerprint(other) != provenance.fingerprint(["a", "1"])
    assert provenance.fingerprint(["a", 1]) == provenance.fingerprint(["a", "1"])


def test_requirements_are_the_locked_versions_of_what_is_installed(fresh):
    pins = provenance.requirements(frozenset({"scikit-learn", "skops", "not-there"}))
    assert pins == [f"{name}=={version(name)}" for name in ("scikit-learn", "skops")]


def test_the_commit_is_told_and_whether_the_tree_was_dirty(fresh, tmp_path, monkeypatch):
    monkeypatch.setenv("EVERGREEN_PROJECT", str(tmp_path))
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "one")
    head, dirty = provenance.commit(tmp_path / "a")
    assert (len(head), dirty) == (40, False)
    (tmp_path / "untracked").write_text("1")
    assert provenance.commit(tmp_path / "untracked") == (head, True)
    assert provenance.commit(tmp_path / "a", tmp_path / "untracked") == (head, True)
    assert provenance.commit(tmp_path.parent / "elsewhere") == (head, True)
    (tmp_path / "a").write_text("2")
    provenance.commit.cache_clear()
    assert provenance.commit(tmp_path / "a") == (head, True)


def test_outside_git_and_without_a_lock_nothing_is_invented(fresh, tmp_path, monkeypatch):
    monkeypatch.setenv("EVERGREEN_PROJECT", str(tmp_path))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert (provenance.commit(tmp_path / "a"), provenance.lock_hash()) == (("", False), "")
    assert provenance.requirements(frozenset({"numpy"})) == []


@pytest.mark.parametrize(("name", "table"), [("uv.lock", "package"), ("pylock.toml", "packages")])
def test_other_forms_of_a_lock_are_read_where_there_is_no_requirements_lock(fresh, tmp_path, monkeypatch, name, table):
    monkeypatch.setenv("EVERGREEN_PROJECT", str(tmp_path))
    (tmp_path / name).write_text(
        f'version = 1\n[[{table}]]\nname = "numpy"\nversion = "9.9"\n[[{table}]]\nname = "own"\n'
    )
    assert provenance.requirements(frozenset({"numpy", "own"})) == ["numpy==9.9"]
    assert provenance.unlocked(["numpy", "pandas"]) == ["pandas"]
    assert provenance.lock_hash() == provenance.hash_of(tmp_path / name)
    (tmp_path / "requirements.lock").write_text("numpy==1.1 --hash=sha256:00\n")
    assert provenance.lock() == tmp_path / "requirements.lock"
