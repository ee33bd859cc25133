"""Hashes of the rows that a version learnt from: every row is found, no other, and only with the secret."""

import numpy as np
import pandas as pd
import pytest

from evergreen.governance import learnt_rows

SECRET = b"a secret"


@pytest.mark.parametrize("count", [0, 1, 2, 1000, 50_000])
def test_every_row_is_found_and_no_other(count):
    ids = [f"key {place}" for place in range(count)]
    text = learnt_rows.dump(ids, SECRET)
    chosen = ids[:: max(count // 50, 1)]
    assert all(learnt_rows.holds(text, [row], SECRET) for row in chosen)
    assert not learnt_rows.holds(text, [f"other {place}" for place in range(200)], SECRET)
    assert not learnt_rows.holds(text, [], SECRET)


def test_a_row_takes_few_characters():
    text = learnt_rows.dump([f"key {place}" for place in range(100_000)], SECRET)
    assert len(text) < 500_000


def test_with_another_secret_nothing_can_be_said():
    text = learnt_rows.dump(["a", "b"], SECRET)
    assert learnt_rows.holds(text, ["a"], b"another") is None
    assert learnt_rows.dump(["a", "b"], b"another").split()[1] != text.split()[1]


def test_the_hashes_do_not_depend_on_order_repetition_or_release():
    assert learnt_rows.dump(["b", "a", "b"], SECRET) == learnt_rows.dump(["a", "b"], SECRET)
    assert learnt_rows.dump(["a", "b"], SECRET) == WRITTEN, "stored with versions, so it may never change"


def test_ids_are_of_whole_keys(toy):
    rows = pd.DataFrame({"id": ["a|b", None, "c"], "group": ["x", "y", "z"], "n": np.arange(3)})
    assert learnt_rows.ids(toy(), rows) == ["a|b", "c"]
    assert learnt_rows.ids(toy(key=["id", "group"]), rows) == [r"a\|b|x", "c|z"]
    assert learnt_rows.ids(toy(), rows.drop(columns="id")) == []


WRITTEN = "4d5d5e3c eAELt9sjdrfvPG/sfQAZCATr"
