"""The versions of one worker: each model for itself, and what is counted of a swap."""

import asyncio

import pytest

from serving.inference import hot_swap
from serving.inference.hot_swap import Models
from serving.metrics import Metrics
from serving.model_cache import ServingState


@pytest.fixture
def models(copies, add):
    add()
    return Models(copies, [], 10, Metrics(copies.root.parent / "log"))


def swap(models):
    asyncio.run(models.swap_changed())


def meters(models):
    page = models.metrics.exposition(["toy"]).decode()
    return [
        line.rpartition(" ")[2]
        for line in page.splitlines()
        if line.startswith(("evergreen_swaps_total", "evergreen_model"))
    ]


@pytest.mark.parametrize("text", ["", '{"champion":"1","newer":1}'])
def test_a_state_that_cannot_be_read_stops_no_other_model(models, copies, text):
    copies.add("another", "1", lambda folder: copies.spec("toy", "1"))
    (copies.root / "another" / "standing.json").write_text(text)
    swap(models)
    assert (list(models.served), list(copies.refusals())) == (["toy"], [])


def test_a_model_that_cannot_be_swapped_stops_no_other(models, copies, monkeypatch):
    copies.add("another", "1", lambda folder: copies.spec("toy", "1"))
    copies.set_state("another", ServingState("1"))
    load = hot_swap.load

    def full(copies, model, *more):
        if model == "another":
            raise ValueError("torn")
        return load(copies, model, *more)

    def cannot_tell(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hot_swap, "load", full)
    monkeypatch.setattr(type(copies), "refuse", cannot_tell)
    swap(models)
    assert list(models.served) == ["toy"]


def test_a_copy_that_was_made_anew_with_other_metadata_is_loaded_again(models, copies):
    swap(models)
    loaded = models.served["toy"]
    copies.set_state("toy", ServingState("1"))
    swap(models)
    assert models.served["toy"] is loaded
    copies.change("toy", "1", private={"side": "omit"})
    copies.set_state("toy", ServingState("1"))
    swap(models)
    assert models.served["toy"].spec.private == {"side": "omit"}
    assert meters(models) == ["1.0", "0.0"]


def test_a_swap_is_counted_where_a_version_takes_over_from_another_one(models, add):
    swap(models)
    assert meters(models) == ["1.0", "0.0"]
    add("2")
    swap(models)
    assert meters(models) == ["2.0", "1.0"]


def test_a_swap_of_all_workers_is_counted_once(models, add):
    models.metrics.first = False
    for number in ("1", "2"):
        add(number)
        swap(models)
    assert meters(models) == ["2.0"]
