"""Activity as an Atom feed: an entry for each act."""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from evergreen.iso_time import parsed
from evergreen.lake.audit_log import Line
from ui import story
from ui.rendering import Link

MOST = 100  # entries
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LONGEST = 4_000  # characters of a reason


def feed(lines: Sequence[Line], link: Link, page: str, itself: str) -> bytes:
    """The feed of some lines, newest first.

    Parameters
    ----------
    lines : sequence of Line
    link : callable
        From the path of a page to its whole address.
    page, itself : str
        The addresses of the page that shows the same, and of the feed.
    """
    root = Element("feed", xmlns="http://www.w3.org/2005/Atom")
    _text(root, "id", itself)
    _text(root, "title", "Evergreen: activity")
    _text(root, "updated", max((_time(line.written) for line in lines), default=_time("")))
    SubElement(root, "link", rel="alternate", type="text/html", href=page)
    SubElement(root, "link", rel="self", type="application/atom+xml", href=itself)
    for line in lines:
        root.append(_entry(line, link))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}'.encode()


def _entry(line: Line, link: Link) -> Element:
    told, entry = story.told(line), Element("entry")
    _text(entry, "id", f"urn:sha256:{line.hash}")
    _text(entry, "title", f"{line.model}: {told.text}"[:_LONGEST])
    _text(entry, "updated", _time(line.written))
    _text(entry, "published", _time(line.at))
    _text(SubElement(entry, "author"), "name", line.by or "Evergreen")
    SubElement(entry, "category", term=_NO_XML.sub("", line.act))
    SubElement(entry, "link", href=_NO_XML.sub("", link(f"activity/{line.model}/{line.number}")))
    if told.why:
        _text(entry, "summary", told.why[:_LONGEST])
    return entry


def _text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = _NO_XML.sub("\ufffd", text)


def _time(text: str) -> str:
    """A time as Atom wants it; of what is none the first of all."""
    try:
        return parsed(text).isoformat()
    except ValueError:
        return "1970-01-01T00:00:00+00:00"
