"""What versions keep of erased rows: categories, extremes, examples. All else stays as it was."""

import json
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from evergreen.drift.bins import bins_of
from evergreen.drift.profile import Profile, count
from evergreen.errors import AlteredModelError
from evergreen.governance import artifact_erasure
from evergreen.governance.artifact_erasure import row_texts, without_values
from evergreen.registry.version import Version


def reference(numbers, categories):
    """A reference's text: a profile of two columns, and an estimator's text in it."""
    number = bins_of(pd.Series(numbers), "number")
    counted = count(number, np.array(numbers), np.zeros(len(numbers), dtype=np.intp), 1)
    profile = Profile(np.array(["2013-01-01"], dtype="datetime64[us]"), {"salary": counted}).dump()
    bins = {"kind": "category", "edges": [], "categories": categories}
    profile["columns"]["who"] = {
        "bins": bins,
        "counts": [[1] * (len(categories) + 2)],
        "moments": [[0.0, 0.0, None, None]],
    }
    tree = {"encodings": [{"column": "who", "means": dict.fromkeys(categories, 1.5), "other": 1.0}]}
    return json.dumps({"profile": profile, "importance": {"who": 0.1}, "estimator": json.dumps(tree)})


@pytest.mark.parametrize("extreme", [987654.0, -987654.0])
def test_extremes_and_categories_go_and_the_rest_can_be_read(extreme):
    text = reference([*np.arange(100.0), extreme], ["many", "Zebulon", "few"])
    assert text.count("Zebulon") == 2
    cleaned = without_values(text, {"salary": {extreme}, "who": {"Zebulon"}})
    assert "987654" not in cleaned
    assert "Zebulon" not in cleaned
    before, after = (json.loads(of)["profile"]["columns"] for of in (text, cleaned))
    assert after["who"]["bins"]["categories"] == ["many", "erased 1", "few"]
    assert after["salary"]["counts"] == before["salary"]["counts"]
    edges = after["salary"]["bins"]["edges"]
    assert len(edges) == len(before["salary"]["bins"]["edges"])
    assert edges == sorted(set(edges))
    assert edges[1:-1] == before["salary"]["bins"]["edges"][1:-1]
    assert json.loads(json.loads(cleaned)["estimator"])["encodings"][0]["means"].keys() == {"many", "erased 1", "few"}
    Profile.parse(json.loads(cleaned)["profile"])


def test_what_holds_nothing_stays_as_it_is():
    text = reference([1.0, 2.0, 3.0], ["a", "b"])
    assert without_values(text, {"salary": {9.0}, "who": {"c"}, "other": {1.0}}) == text


@pytest.mark.parametrize("form", ["split", "served"])
def test_an_erased_row_in_an_example_is_replaced_by_another(tmp_path, form):
    split = {"columns": ["x", "group"], "data": [[1.5, "a"], [2.5, "Zebulon"], [3.5, None]]}
    path = tmp_path / "input_example.json"
    path.write_text(json.dumps(split if form == "split" else {"dataframe_split": split}))

    rows = pd.DataFrame({"x": [2.5], "group": ["Zebulon"], "id": ["k"]})
    artifact_erasure._erase_examples(str(tmp_path), rows)
    written = json.loads(path.read_text())
    assert written.get("dataframe_split", written)["data"] == [[1.5, "a"], [1.5, "a"], [3.5, None]]
    assert row_texts(rows, ["y"]) == row_texts(rows.iloc[:0], ["x"]) == set()


def test_a_version_that_was_altered_is_named_and_stops_no_erasure(toy):
    class Altered:
        attached: ClassVar[list[str]] = []

        def text(self, version, name):
            return "a page" if name == "data.html" else None

        def attach(self, version, name, page):
            self.attached.append(name)

        def path(self, version):
            raise AlteredModelError("another file")

        def versions(self, name):
            return []

    left = artifact_erasure.erase(Altered(), toy(), [Version("toy", "3", "", "", {})], {}, pd.DataFrame())
    assert left == ["The stored model of toy@3 was altered; its files may hold values of the rows."]
    assert Altered.attached == ["data.html"]
