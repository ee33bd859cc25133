"""The mask: what is private is in no log, and nobody can try it out."""

import pytest

from serving.log.masking import Masking
from serving.secret import secret_of
from tests.serving.conftest import spec_of

SPEC = spec_of(private={"x": "hash", "side": "hash", "at": "omit"})


def test_what_is_hashed_is_text_and_what_is_left_out_is_not_there(tmp_path):
    mask = Masking(SPEC, secret_of(tmp_path))
    assert mask.features == {"x": "text", "z": "number"}
    assert mask.beside == {"id": "text", "side": "text"}
    (row,) = mask.rows([[1.5, 2.0]])
    assert (len(row[0]), row[1]) == (32, 2.0)
    beside = mask.columns({"id": ["a"], "side": ["up"], "at": ["2013-01-01"]})
    assert (beside["id"], len(beside["side"][0]), "at" in beside) == (["a"], 32, False)


def test_equal_values_are_equal_and_missing_ones_missing():
    mask = Masking(SPEC, b"secret")
    a, b, c, d = (row[0] for row in mask.rows([[1.5, 0], [1.5, 1], [2.5, 0], [None, 0]]))
    assert (a == b, a == c, d) == (True, False, None)
    assert Masking(SPEC, b"other").rows([[1.5, 0]])[0][0] != a


def test_a_left_out_feature_leaves_the_others_in_their_order():
    mask = Masking(spec_of(private={"x": "omit"}), b"")
    assert (mask.features, mask.rows([[1.5, 2.0]])) == ({"z": "number"}, [[2.0]])


def test_without_anything_private_rows_are_as_they_are():
    rows = [[1.5, 2.0]]
    assert Masking(spec_of(), b"").rows(rows) is rows


def test_the_secret_is_made_once_and_is_nobody_elses(tmp_path):
    assert secret_of(tmp_path) == secret_of(tmp_path)
    assert secret_of(tmp_path) != secret_of(tmp_path / "other")
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("private", [{"id": "hash"}, {"y": "omit"}, {"nobody": "hash"}])
def test_a_model_file_may_hide_neither_key_nor_label_nor_what_is_not_there(private):
    from sklearn.linear_model import LinearRegression

    from evergreen import Call, Model, Serving

    with pytest.raises(ValueError, match=r"serving\.private names"):
        Model(
            name="toy",
            task="regression",
            source=Call(function=print),
            key="id",
            time="at",
            target="y",
            features={"x": "number"},
            estimator=LinearRegression,
            serving=Serving(private=private),
        )
