"""Troubleshooting is complete: every kind of error has a heading, every place that raises one has a row."""

import ast
import re
from collections import Counter
from functools import cache

import pytest

from evergreen import errors
from tests.docs.pages import nodes, page, rows, section

TEXT = page("docs/troubleshooting.md")
HEADINGS = set(re.findall(r"^### (\w+Error)$", TEXT, re.M))
KINDS = sorted(
    name
    for name, of in vars(errors).items()
    if isinstance(of, type) and issubclass(of, errors.EvergreenError) and of is not errors.EvergreenError
)


@cache
def raised():
    """How many places raise each kind of error."""
    raising = [node.exc for node in nodes() if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)]
    names = [ast.unparse(call.func) for call in raising]
    calls = [node for node in nodes() if isinstance(node, ast.Call) and node.args]
    names += [ast.unparse(call.args[0]) for call in calls if ast.unparse(call.func).endswith("translated")]
    return Counter(name.rpartition(".")[2] for name in names)


def test_every_kind_of_error_has_a_heading_and_no_other():
    assert set(KINDS) == HEADINGS


@pytest.mark.parametrize("kind", KINDS)
def test_every_place_that_raises_an_error_has_a_row_with_a_cause_of_its_own_and_a_cure(kind):
    documented = rows(section(TEXT, kind))
    causes = {row[0] for row in documented}
    assert all(len(row) == 2 and all(row) for row in documented)
    assert len(causes) == len(documented)
    assert len(causes) >= raised()[kind], f"{kind} is raised in more places than {len(causes)}: add a row for each"


def test_every_usage_error_has_a_row():
    assert len(rows(section(TEXT, "Usage errors"))) >= raised()["BadParameter"]
