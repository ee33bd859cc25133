"""What the pages name is there: files of the code, commands of the benchmarks, pages that are linked."""

import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
EXPLANATIONS = [page for page in PAGES if "explanation" in page.parts]
ROOTS = ("cli", "deployments", "evergreen", "flows", "models", "serving", "tasks", "tests", "ui")
CODE_PATH = re.compile(rf"`((?:{'|'.join(ROOTS)})/[\w./-]*)`")
MODULE = re.compile(r"python -m (benchmarks(?:\.\w+)*)")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)(?:#[^)\s]*)?\)")


def named(pattern, pages):
    """What a pattern finds on pages, with the page that it stands on."""
    return [(page, path) for page in pages for path in pattern.findall(page.read_text())]


def test_paths_of_the_code_that_explanations_name_exist():
    paths = named(CODE_PATH, EXPLANATIONS)
    assert len(paths) > 50
    assert [(page.name, path) for page, path in paths if not (CHECKOUT / path).exists()] == []


def test_modules_that_the_upgrade_notes_lead_to_exist():
    rows = [line for line in (CHECKOUT / "docs" / "upgrade.md").read_text().splitlines() if line.startswith("| `")]
    paths = CODE_PATH.findall("\n".join(row.split("|")[2] for row in rows))
    assert len(paths) > 50
    assert [path for path in paths if not (CHECKOUT / path).exists()] == []


def test_benchmarks_that_pages_name_can_be_run():
    modules = named(MODULE, PAGES)
    assert len(modules) > 10
    files = [(module, CHECKOUT / module.replace(".", "/")) for _, module in modules]
    runnable = {module for module, file in files if file.with_suffix(".py").exists() or (file / "__main__.py").exists()}
    assert {module for module, _ in files} == runnable


def test_relative_links_lead_to_files():
    links = named(LINK, PAGES)
    assert len(links) > 50
    assert [(page.name, target) for page, target in links if not (page.parent / target).exists()] == []
