"""The pictures of the web UI: each page in both sizes, small, and shown on the page that describes it."""

import re

from tests.docs.pages import page
from tests.running_system import CHECKOUT

FOLDER = CHECKOUT / "docs" / "how-to" / "web-ui"
LARGEST = 150_000  # bytes
SHOWN = re.findall(r"!\[([^\]]+)\]\(web-ui/([\w-]+)\.webp\)", page("docs/how-to/web-ui.md"))


def test_each_page_is_shown_in_both_sizes_with_words_for_who_cannot_see_it():
    pictures = {path.stem for path in FOLDER.glob("*.webp")}
    assert pictures == {name for _, name in SHOWN}
    pages = {name.rpartition("-")[0] for name in pictures}
    assert pictures == {f"{name}-{size}" for name in pages for size in ("wide", "phone")}
    assert len({words for words, _ in SHOWN}) == len(SHOWN)


def test_pictures_are_small():
    assert {path.name: path.stat().st_size for path in FOLDER.glob("*") if path.stat().st_size >= LARGEST} == {}
