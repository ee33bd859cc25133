"""What the pages name is there: files of the code, commands of the benchmarks, pages that are linked."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
EXPLANATIONS = [page for page in PAGES if "explanation" in page.parts]
ROOTS = ("cli", "deployments", "evergreen", "flows", "models", "serving", "tasks", "tests")
CODE_PATH = re.compile(rf"`((?:{'|'.join(ROOTS)})/[\w./-]*)`")
MODULE = re.compile(r"python -m (benchmarks(?:\.\w+)*)")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)(?:#[^)\s]*)?\)")
UPGRADE = CHECKOUT / "docs" / "upgrade.md"
NOW = [line.split("|")[2] for line in UPGRADE.read_text().splitlines() if line.startswith("| `")]


def named(pattern, pages):
    """What a pattern finds on pages, with the page that it stands on."""
    return sorted({(page, found) for page in pages for found in pattern.findall(page.read_text())})


def label(value):
    return str(value.relative_to(CHECKOUT)) if isinstance(value, Path) else value


@pytest.mark.parametrize("path", sorted(set(CODE_PATH.findall("\n".join(NOW)))))
def test_a_module_that_the_upgrade_notes_lead_to_exists(path):
    assert (CHECKOUT / path).exists()


def test_the_pages_name_files_at_all():
    assert len(named(CODE_PATH, EXPLANATIONS)) > 50
    assert len(named(MODULE, PAGES)) > 10
    assert len(NOW) > 50


@pytest.mark.parametrize(("page", "path"), named(CODE_PATH, EXPLANATIONS), ids=label)
def test_a_path_of_the_code_that_an_explanation_names_exists(page, path):
    assert (CHECKOUT / path).exists()


@pytest.mark.parametrize(("page", "module"), named(MODULE, PAGES), ids=label)
def test_a_benchmark_that_a_page_names_can_be_run(page, module):
    path = CHECKOUT / module.replace(".", "/")
    assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


@pytest.mark.parametrize(("page", "target"), named(LINK, PAGES), ids=label)
def test_a_relative_link_leads_to_a_file(page, target):
    assert (page.parent / target).exists()
