"""Which jobs of a workflow a host starts: triggers and conditions, evaluated as GitHub and GitLab say they are.

Only what the files of this project use is known; anything else is an error, so that it is not taken for false.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

Tree = dict[Any, Any]
OURS = "a/team"
_WORD = re.compile(r"'[^']*'|&&|\|\||[!=]=|!|[(),]|[\w.-]+|\s+")
_OPERATORS = {"&&": " and ", "||": " or ", "!": " not ", "==": "==", "!=": "!=", "(": "(", ")": ")", ",": ","}


@dataclass(frozen=True)
class Event:
    """Something that happens in a repository of GitHub's.

    Attributes
    ----------
    name : str
        Such as push.
    ref : str
        Such as refs/heads/main.
    head : str
        The repository that a pull request comes from.
    variables : Mapping
        Of the repository.
    """

    name: str
    ref: str = "refs/heads/main"
    head: str = OURS
    variables: Mapping[str, str] = field(default_factory=dict)

    def known(self) -> dict[str, str]:
        """The contexts of expressions."""
        repository = {"github.ref": self.ref, "github.repository": OURS, "github.event_name": self.name}
        pull_request = {"github.event.pull_request.head.repo.full_name": self.head} if "pull" in self.name else {}
        return repository | pull_request | {f"vars.{name}": value for name, value in self.variables.items()}


def begun(workflow: Tree, event: Event) -> set[str]:
    """The jobs of a workflow that run for an event; those that others need have succeeded, with every output."""
    if not _triggers(workflow.get("on", workflow.get(True)), event):
        return set()
    started: set[str] = set()
    for name, job in workflow["jobs"].items():
        needs = job.get("needs", [])
        needed = [needs] if isinstance(needs, str) else needs
        outputs = {
            f"needs.{other}.outputs.{key}": "1" for other in needed for key in workflow["jobs"][other]["outputs"]
        }
        known = event.known() | {key: value for key, value in outputs.items() if key.split(".")[1] in started}
        condition = str(job.get("if", "true"))
        done = "cancelled()" in condition or set(needed) <= started  # else success() is implied
        if done and _holds(condition, known):
            started.add(name)
    return started


def _triggers(on: Tree, event: Event) -> bool:
    assert set(on) <= {"pull_request", "push", "schedule", "workflow_dispatch"}, on
    if event.name not in on:
        return False
    filters = on[event.name] or {}
    if event.name != "push" or not filters:
        assert isinstance(filters, list) or not filters, filters
        return True
    assert set(filters) <= {"branches", "tags"}, filters
    kind, _, name = event.ref.removeprefix("refs/").partition("/")
    patterns = filters.get({"heads": "branches", "tags": "tags"}[kind], [])
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _holds(condition: str, known: Mapping[str, str]) -> bool:
    """The value of an expression; what is not set is empty."""
    text = condition.removeprefix("${{").removesuffix("}}").strip()
    words = _WORD.findall(text)
    assert "".join(words) == text, condition
    functions = {"startsWith": str.startswith, "cancelled": lambda: False}
    values: dict[str, Any] = {}

    def python(word: str) -> str:
        if word in _OPERATORS or word.isspace() or word in functions:
            return _OPERATORS.get(word, word)
        name = f"value{len(values)}"
        assert word[0] == "'" or word in ("true", *known) or word.startswith(("vars.", "needs.", "github.event.")), word
        values[name] = word[1:-1] if word[0] == "'" else word == "true" or known.get(word, "")
        return name

    return bool(eval("".join(map(python, words)).strip(), {"__builtins__": {}} | functions | values))


def gitlab(pipeline: Tree, variables: Mapping[str, str]) -> dict[str, str]:
    """The jobs of GitLab's file that are in a pipeline, and when each begins; none if there is no pipeline."""
    if _when(pipeline["workflow"]["rules"], variables) == "never":
        return {}
    jobs = {name: job for name, job in pipeline.items() if isinstance(job, dict) and "script" in job}
    found = {name: _when(job["rules"], variables) for name, job in jobs.items()}
    return {name: when for name, when in found.items() if when != "never"}


def _when(rules: list[Tree], variables: Mapping[str, str]) -> str:
    """When the first rule that holds lets a job begin; never if none does."""
    return next((rule.get("when", "on_success") for rule in rules if _rule(rule["if"], variables)), "never")


def _rule(text: str, variables: Mapping[str, str]) -> bool:
    return all(_term(term.split(), variables) for term in text.split(" && "))


def _term(words: list[str], variables: Mapping[str, str]) -> bool:
    left, *rest = words
    value = variables.get(left.removeprefix("$"))
    if not rest:
        return bool(value)
    operator, right = rest
    if operator == "=~":
        return re.search(right.strip("/"), value or "") is not None
    other = None if right == "null" else variables.get(right[1:]) if right[0] == "$" else right.strip('"')
    return {"==": value == other, "!=": value != other}[operator]
