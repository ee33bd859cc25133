"""The comment on a pull request: what of many models is shown."""

import pytest

from evergreen.experiments.model_change import ModelChange
from evergreen.reports.change_comment import MARK, markdown

LIMIT = 65_536  # characters that GitHub takes


def changes(count, notes):
    fine = [ModelChange(f"model_{number}", "added", "it is new", notes=notes) for number in range(count)]
    return [*fine, ModelChange("broken", "changed", "broken.py changed", problems=["It does not load."])]


def test_of_few_models_all_is_shown_and_what_must_not_be_merged_comes_first():
    comment = markdown(changes(3, ["a word"]), "main", "abc")
    rows = [line for line in comment.splitlines() if line.startswith(("| ✅", "| ❌"))]
    assert [row.split(" | ")[1] for row in rows] == ["broken", "model\\_0", "model\\_1", "model\\_2"]
    assert comment.count("<details>") == comment.count("</details>") == 4
    assert "no room" not in comment


@pytest.mark.parametrize("count", [100, 2000])
def test_of_many_models_as_much_is_shown_as_github_takes(count):
    comment = markdown(changes(count, ["a long note " * 100]), "main", "abc")
    assert comment.startswith(MARK)
    assert len(comment) < LIMIT
    assert comment.count("<details>") == comment.count("</details>")
    assert "| ❌ | broken |" in comment
    assert "This comment has no room for more" in comment
    assert f"{count + 1} models affected, not to be merged" in comment
