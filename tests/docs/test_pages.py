"""Pages name commands, options, files and links that are there; the site's links are right."""

import re
import shlex

import pytest
from typer.main import get_command

from cli.main import app
from docs.hooks import linked
from tests.docs.pages import CHECKOUT, DOCS, coded, page, rows

PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
PAGES += sorted(
    str(path.relative_to(CHECKOUT)) for path in DOCS.rglob("*.md") if path.name != "upgrade.md"
)  # old names
TOP = get_command(app)
CODE_PATH = re.compile(r"`((?:cli|deployments|docs|evergreen|flows|serving|tasks|tests)/[\w./-]*)`")


def invocations(text):
    """The calls of `evergreen` in the code of a page, as words."""
    blocks = re.findall(r"^ *```(?:sh|console)[^\n]*\n(.*?)^ *```", text, re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    for code in [*lines, *re.findall(r"`([^`\n]+)`", text)]:
        match = re.search(r"(?:^|(?<!--pool)\s|=)evergreen (.*)", code.removeprefix("$ "))
        if match and not re.match(r"^\s*(import|from)\b", code):
            yield shlex.split(re.split(r"\s+[#;>]|;", match[1])[0].replace("'", ""), comments=True)


def command_of(words):
    """The command that words name, and the options among them."""
    command, names = TOP, iter(words[2:] if words[:1] == ["--env"] else words)
    for word in names:
        if not hasattr(command, "commands") or word.startswith("-") or word.isupper():
            return command, [word, *names]
        for choice in word.split("|"):
            assert choice in command.commands, f"there is no command {choice!r}"
        command = command.commands[word.split("|")[0]]
    return command, []


@pytest.mark.parametrize("name", PAGES)
def test_every_command_that_a_page_names_is_there_with_its_options(name):
    for words in invocations(page(name)):
        command, rest = command_of(words)
        known = {option for param in command.params for option in [*param.opts, *param.secondary_opts]}
        known |= {"--help", "-h"} | {option for param in TOP.params for option in param.opts}
        for word in rest:
            option = word.partition("=")[0]
            assert not option.startswith("--") or option in known, f"{words}: there is no {option}"
        assert not getattr(command, "hidden", False), f"{words}: the command has another name now"


def test_there_are_calls_on_pages():
    assert sum(len(list(invocations(page(name)))) for name in PAGES) > 80


@pytest.mark.parametrize("name", PAGES)
def test_every_path_of_the_code_that_a_page_names_is_there(name):
    assert [path for path in CODE_PATH.findall(page(name)) if not (CHECKOUT / path).exists()] == []


def test_every_change_has_a_first_file_and_tests_that_are_there():
    changes = rows(re.search(r"## Where a change begins\n(.*?)^## ", page("CONTRIBUTING.md"), re.M | re.S)[1])
    assert len(changes) > 30
    for change, first, then, tests in changes:
        paths = [{name for name in coded(cell) if re.search(r"/|\.yaml$", name)} for cell in (first, then, tests)]
        assert paths[0], f"{change}: no first file"
        assert any(path.startswith("tests/") for path in paths[2]), f"{change}: no test"
        assert [path for path in set.union(*paths) if not (CHECKOUT / path).exists()] == [], change


@pytest.mark.parametrize(
    ("text", "place", "source", "expected"),
    [
        ("[a](docs/how-to/x.md#y)", "contributing.md", "CONTRIBUTING.md", "[a](how-to/x.md#y)"),
        ("[c](../../CONTRIBUTING.md)", "how-to/x.md", "docs/how-to/x.md", "[c](../contributing.md)"),
        ("[r](../README.md)", "glossary.md", "docs/glossary.md", "[r](index.md)"),
        ("[`f`](cli/main.py)", "contributing.md", "CONTRIBUTING.md", "`f` (`cli/main.py`)"),
        ("[b](other.md)", "how-to/x.md", "docs/how-to/x.md", "[b](other.md)"),
        ("[w](https://a.org/b.md)", "index.md", "docs/index.md", "[w](https://a.org/b.md)"),
    ],
)
def test_links_of_the_repository_become_links_of_the_site(text, place, source, expected):
    assert linked(text, place, source) == expected
