"""What the site needs beside its pages: pages of the root folder, links to code, every public name."""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

CHECKOUT = Path(__file__).resolve().parent.parent
# Pages that code hosts look for in the root folder, and their place on the site.
ROOT_PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
API = "reference/api.md"
_LINK = re.compile(r"\]\((?P<target>(?!https?:|mailto:|#)[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
_TO_CODE = re.compile(r"(?<!!)\[(?P<text>[^\[\]]*)\]\((?P<target>(?!https?:|mailto:|#)[^)\s#]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root folder."""
    for name, place in ROOT_PAGES.items():
        files.append(File.generated(config, place, content=(CHECKOUT / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that are right in the repository into those of the site."""
    place = page.file.src_uri
    return linked(markdown, place, {to: source for source, to in ROOT_PAGES.items()}.get(place, f"docs/{place}"))


def linked(markdown: str, place: str, source: str) -> str:
    """The text of a page with the links of the site.

    Parameters
    ----------
    markdown : str
    place, source : str
        Where the page is on the site, and in the repository.
    """
    folder, here = str(PurePosixPath(source).parent), str(PurePosixPath(place).parent)

    def turned(match: "re.Match[str]") -> str:
        target = normpath(f"{folder}/{match['target']}")
        to = "index.md" if target == "README.md" else ROOT_PAGES.get(target, "")
        if not to and target.startswith("docs/") and folder == ".":
            to = target.removeprefix("docs/")
        return f"]({relpath(to, here)}{match['anchor'] or ''})" if to else match[0]

    def named(match: "re.Match[str]") -> str:
        target = normpath(f"{folder}/{match['target']}")
        if target.startswith("docs/") or target in ("README.md", *ROOT_PAGES) or not (CHECKOUT / target).exists():
            return match[0]
        return match["text"] if target in match["text"] else f"{match['text']} (`{target}`)"  # the site has no code

    return _LINK.sub(turned, _TO_CODE.sub(named, markdown))


def on_env(env: Any, config: MkDocsConfig, files: Files) -> None:
    """Refuse a build without a public name, or with one that has no docstring."""
    import evergreen

    text = (CHECKOUT / "docs" / API).read_text()
    missing = [name for name in evergreen.__all__ if f"::: evergreen.{name}\n" not in text]
    silent = [name for name in evergreen.__all__ if not (getattr(evergreen, name).__doc__ or "").strip()]
    if missing or silent:
        raise PluginError(f"{API} lacks {missing}; without a docstring: {silent}.")
