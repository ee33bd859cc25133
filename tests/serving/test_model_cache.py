"""Local copies: whole or not there."""

import shutil
from dataclasses import replace

import pytest

from evergreen.registry.model_store import ESTIMATOR
from serving import model_cache as module
from serving.model_cache import AlteredCopyError, ServingState
from tests.serving.conftest import spec_of


def test_a_copy_that_could_not_be_filled_is_not_there(copies):
    def fill(folder):
        (folder / "half").write_text("half")
        raise ValueError("cut off")

    with pytest.raises(ValueError, match="cut off"):
        copies.add("toy", "1", fill)
    assert not copies.has("toy", "1")
    assert list((copies.root / "toy").iterdir()) == []


def test_what_was_added_comes_back_and_answers_once_it_is_crowned(copies, add):
    spec = add()
    assert (copies.has("toy", "1"), copies.spec("toy", "1")) == (True, spec)
    assert (copies.models(), copies.state("toy"), copies.state("other")) == (["toy"], ServingState("1"), None)
    assert (list(copies.changes()), copies.changes()["toy"] > 0) == (["toy"], True)


def test_the_copy_of_another_release_is_made_anew(copies, add, monkeypatch):
    monkeypatch.setattr(module, "_SPEC_FILE", "spec-of-old.json")
    add()
    monkeypatch.undo()
    assert not copies.has("toy", "1")
    add()
    assert copies.has("toy", "1")


def test_refusals_are_taken_once(copies, add):
    add()
    copies.refuse("toy", "1", "it does not load")
    assert list(copies.refusals()) == [("toy", "1", "it does not load")]
    assert list(copies.refusals()) == []


def test_a_refusal_that_a_power_loss_left_empty_is_gone_and_the_others_are_told(copies, add):
    add()
    for number in ("1", "2"):
        copies.refuse("toy", number, "it does not load")
    (copies.root / "toy" / "refused" / "1").write_text("")
    assert list(copies.refusals()) == [("toy", "2", "it does not load")]
    assert list(copies.refusals()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"champion":"1","newer":1}', '{"share":0.5}'])
def test_a_state_that_cannot_be_read_is_none(copies, add, text):
    add()
    (copies.root / "toy" / "standing.json").write_text(text)
    assert (copies.state("toy"), copies.models()) == (None, ["toy"])


def test_metadata_of_a_copy_can_be_changed_unless_the_copy_was_altered(copies, add):
    spec = add()
    copies.change("toy", "1", private={"side": "omit"})
    copies.verify("toy", "1")
    assert copies.spec("toy", "1") == replace(spec, private={"side": "omit"})
    assert copies.numbers("toy") == ["1"]
    (copies.folder("toy", "1") / ESTIMATOR).write_bytes(b"altered")
    with pytest.raises(AlteredCopyError):
        copies.change("toy", "1", private={})
    assert copies.is_altered("toy", "1")


def test_pruning_keeps_what_is_named_and_removes_what_a_kill_left(copies, add):
    for number in ("1", "2", "3"):
        add(number)
    (copies.root / "toy" / ".adding-x").mkdir()
    copies.refuse("toy", "3", "a note")
    copies.prune("toy", {"2", "3"})
    assert {path.name for path in (copies.root / "toy").iterdir()} == {"2", "3", "standing.json", "refused"}


def test_a_spec_may_be_read_again(copies):
    spec = spec_of(classes=["a", "b"], task="classification")
    copies.add("toy", "7", lambda _: spec)
    assert copies.spec("toy", "7") == spec


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"number": "2", "example": [], "private": {"x": "omit"}}, ""),
        ({"features": {"x": "number"}}, "features differ"),
        ({"features": {"x": "number", "z": "text"}}, "features differ"),
        ({"features": {"z": "number", "x": "number"}}, "or order"),
        ({"task": "regression", "classes": None}, "differs in kind"),
        (
            {"classes": [0, 1, 2]},
            "its output (classification with classes [0, 1, 2]) differs in kind from that of the champion, version 1",
        ),
        ({"classes": ["a", "b"]}, "differs in kind"),
        ({"classes": [1, 0]}, "differs in kind"),
    ],
)
def test_a_version_says_why_it_cannot_stand_beside_the_champion(changes, told):
    champion = {"task": "classification", "classes": [0, 1]}
    reason = spec_of(**champion | changes).incompatibility(spec_of(**champion))
    assert (bool(reason), told in reason) == (bool(told), True)


@pytest.mark.parametrize(
    "altering",
    [
        lambda folder: (folder / "model.skops").write_bytes(b"altered"),
        lambda folder: (folder / "columns.json").write_text("[]"),
        lambda folder: (folder / "leaves.npz").unlink(),
        lambda folder: next(folder.glob("spec-*")).write_text("{}"),
        lambda folder: (folder / "more").touch(),
        lambda folder: (folder / "seal").write_text("0" * 64),
    ],
    ids=["the estimator", "a compiled form", "a file is gone", "the spec", "a file is new", "the seal"],
)
def test_a_copy_that_was_altered_is_found(copies, altering):
    def fill(folder):
        for name in ("model.skops", "columns.json", "leaves.npz"):
            (folder / name).write_text(name)
        return spec_of()

    copies.add("toy", "1", fill)
    copies.verify("toy", "1")
    altering(copies.folder("toy", "1"))
    assert copies.is_altered("toy", "1")
    with pytest.raises(AlteredCopyError, match="the local copy of toy@1 was altered after it was made"):
        copies.verify("toy", "1")
    copies.remove("toy", "1")
    assert (copies.has("toy", "1"), copies.is_altered("toy", "1")) == (False, False)


def test_the_copy_of_another_model_or_installation_is_none(copies, add, tmp_path):
    add()
    shutil.copytree(copies.folder("toy", "1"), copies.folder("other", "1"))
    assert copies.is_altered("other", "1")
    (tmp_path / "serving" / "secret").write_bytes(b"another")
    assert copies.is_altered("toy", "1")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"beside": {"side": "number"}}, "its column 'side' is number, and category in the champion, version 1"),
        ({"timezone": "Europe/Berlin"}, "`timezone` or `parsing`"),
        ({"parsing": {"x": {"kind": "NumberFormat", "thousands": ","}}}, "`timezone` or `parsing`"),
        ({"beside": {"another": "number", "side": "category"}}, ""),
    ],
)
def test_what_a_champions_line_of_the_log_holds_fits_a_canary(changes, why):
    found = spec_of(number="2", **changes).incompatibility(spec_of())
    assert why in found
    assert bool(found) == bool(why)
