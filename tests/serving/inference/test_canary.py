"""Canaries and shadows: a share that stays the same, no answer that is worse for it, nobody who waits for a shadow."""

import asyncio
import errno
import time
from datetime import UTC, datetime

import numpy as np
import pytest
from deltalake import DeltaTable

from evergreen.lake.lake import SERVED
from evergreen.stores import Stores
from serving.inference.canary import CanaryRouter
from serving.inference.hot_swap import Models
from serving.inference.loaded_model import Canary, LoadedModel
from serving.inference.micro_batching import MicroBatcher
from serving.log.masking import Masking
from serving.log.segments import Log
from serving.metrics import Metrics
from serving.model_cache import ServingState
from serving.process.shipper import Shipper
from serving.requests import PredictionRequest, Reader
from tests.serving.conftest import EXAMPLE, KINDS, spec_of


def version(number, outputs, role="champion", **changes):
    spec = spec_of(number=number, **changes)
    return LoadedModel(spec, Reader(spec), outputs, Masking(spec, b""), role)


def constant(value, seconds=0.0, fails=lambda _: False):
    def outputs(rows):
        time.sleep(seconds)
        if any(fails(row) for row in rows):
            raise ValueError("no answer")
        return np.full((len(rows), 1), value)

    return outputs


CHAMPION = version("1", constant(1.0))


@pytest.fixture
def router(copies):
    root = copies.root.parent / "log"
    log, metrics = Log(root / "0"), Metrics(root)
    log.open()
    models = Models(copies, [], 10, metrics)
    (copies.root / "toy").mkdir(parents=True)
    return CanaryRouter(models, MicroBatcher(log, metrics))


def answers(router, *requests, champion=CHAMPION):
    """Answers of requests, each a list of keys."""

    async def each():
        asked = [PredictionRequest([[0.0, 0.0] for _ in keys], {}, list(keys)) for keys in requests]
        return [await router.predict(champion, request, time.perf_counter()) for request in asked]

    return asyncio.run(each())


def canary(router, outputs, share=0.5):
    router.models.canaries["toy"] = Canary(version("2", outputs, "canary"), share)


KEYS = [f"key {number}" for number in range(400)]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_canary_answers_its_share_and_the_same_keys_always(router, share):
    canary(router, constant(2.0), share)
    (together,) = answers(router, KEYS)
    alone = answers(router, *[[key] for key in KEYS])
    assert together["predictions"] == [answer["predictions"][0] for answer in alone]
    assert together["versions"] == [answer["version"] for answer in alone]
    assert together["ids"] == KEYS
    assert {(value, number) for value, number in zip(together["predictions"], together["versions"], strict=True)} == {
        (1.0, "1"),
        (2.0, "2"),
    }
    assert together["predictions"].count(2.0) / len(KEYS) == pytest.approx(share, abs=0.07)


def test_a_greater_share_takes_more_keys_and_gives_none_back(router):
    taken = []
    for share in (0.1, 0.3, 0.8):
        canary(router, constant(2.0), share)
        (answer,) = answers(router, KEYS)
        taken.append({key for key, value in zip(KEYS, answer["predictions"], strict=True) if value == 2.0})
    assert taken[0] < taken[1] < taken[2]


def test_a_canary_that_errs_is_taken_back_and_nobody_sees_it(router, copies):
    canary(router, constant(2.0, fails=lambda _: True))
    both = answers(router, KEYS, KEYS)
    assert [answer["predictions"] for answer in both] == [[1.0] * len(KEYS)] * 2
    assert router.models.canaries == {}
    ((model, number, reason),) = copies.refusals()
    assert (model, number, "no answer" in reason) == ("toy", "2", True)


def test_rows_that_nobody_can_answer_are_not_the_canarys_fault(router):
    canary(router, constant(2.0, fails=lambda _: True), 0.99)
    with pytest.raises(Exception, match="cannot predict these rows"):
        answers(router, KEYS[:3], champion=version("1", constant(1.0, fails=lambda _: True)))
    assert "toy" in router.models.canaries


def test_a_canary_that_slows_is_taken_back(router, copies):
    canary(router, constant(2.0, seconds=0.004))
    answers(router, *[[key] for key in KEYS])
    assert router.models.canaries == {}
    ((_, _, reason),) = copies.refusals()
    assert "ms a call" in reason


def test_a_canary_that_is_as_fast_stays(router):
    canary(router, constant(2.0))
    answers(router, *[[key] for key in KEYS])
    assert "toy" in router.models.canaries


TURNED = {"z": "number", "x": "number"}


def test_a_request_that_was_read_for_another_champion_is_not_the_canarys(router):
    router.models.canaries["toy"] = Canary(version("2", constant(2.0), "canary", features=TURNED), 0.99)
    (answer,) = answers(router, KEYS)
    assert set(answer["predictions"]) == {1.0}
    assert "toy" in router.models.canaries


@pytest.fixture
def shadowed(add, copies, home):
    """A champion and a shadow; what the shadow answers."""
    add("1", slope=2.0)
    add("2", slope=-2.0, activate=False)
    copies.set_state("toy", ServingState("1", shadow="2"))
    root = copies.root.parent / "log"
    log = Log(root / "0")
    log.open()
    return log, Shipper(root, Stores.open().lake, copies)


def head(number, role, features=KINDS):
    kinds = {"features": features, "beside": {}, "timezone": "UTC"}
    return f"toy@{number} {role}", {"model": "toy", "version": number, "role": role, **kinds}


def ask(log, *ids, role="champion", features=KINDS):
    name, known = head("1", role, features)
    now = round(datetime.now(UTC).timestamp() * 1e6)
    line = {"of": name, "ids": list(ids), "asked": [now] * len(ids), "latency": [1.0] * len(ids), "beside": {}}
    log.write(line | {"rows": EXAMPLE[: len(ids)], "answers": [[4.0]] * len(ids)}, (name, known))
    log.rotate(at_once=True)


def table():
    return DeltaTable(Stores.open().lake.uri("toy", SERVED)).to_pandas().set_index(["_role", "_id"])


def test_a_shadow_answers_what_the_champion_answered_for_the_log_only(shadowed):
    log, shipper = shadowed
    ask(log, "a", "b")
    assert shipper.ship() == ""
    rows = table()
    assert sorted(rows.index) == [("champion", "a"), ("champion", "b"), ("shadow", "a"), ("shadow", "b")]
    assert rows.loc[("shadow", "a"), "_answers"].tolist() == pytest.approx([0.0], abs=1e-9)
    assert (rows.loc["shadow", "_version"] == "2").all()
    assert (rows.loc["shadow", "x"] == rows.loc["champion", "x"]).all()
    assert shipper.ship() == "", "and once"
    assert len(table()) == 4


def test_a_shadow_that_cannot_answer_is_told_and_the_log_goes_on(shadowed, copies):
    log, shipper = shadowed
    (copies.folder("toy", "2") / "model.skops").write_bytes(b"torn")
    ask(log, "a")
    assert shipper.ship() == ""
    assert table().index.tolist() == [("champion", "a")]
    assert [refusal[:2] for refusal in copies.refusals()] == [("toy", "2")]


def test_a_segment_that_cannot_be_read_is_kept_and_holds_up_no_other(shadowed):
    log, shipper = shadowed
    log.write({"of": "nobody"}, head("1", "champion"))
    log.rotate(at_once=True)
    ask(log, "a")
    assert "is kept as .broken" in shipper.ship()
    assert ("champion", "a") in table().index
    assert [path.suffix for path in log.slot.glob("*.broken")] == [".broken"]
    assert shipper.ship() == ""


def test_a_disk_at_fault_is_not_blamed_on_a_segment(shadowed, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    log, shipper = shadowed
    ask(log, "a")
    with monkeypatch.context() as patch:
        patch.setattr(Shipper, "_installation", full)
        assert "No space left" in shipper.ship()
    assert shipper.ship() == ""
    assert ("champion", "a") in table().index


def test_what_a_canary_answered_is_not_answered_again_by_the_shadow(shadowed):
    log, shipper = shadowed
    ask(log, "a", role="canary")
    shipper.ship()
    assert table().index.tolist() == [("canary", "a")]


def test_a_shadow_is_not_asked_what_was_read_for_a_champion_of_another_order(shadowed, copies):
    log, shipper = shadowed
    ask(log, "a", features=TURNED)
    ask(log, "b")
    assert shipper.ship() == ""
    assert [key for key in table().index if key[0] == "shadow"] == [("shadow", "b")]
    assert list(copies.refusals()) == []
