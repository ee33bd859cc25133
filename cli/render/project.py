"""What `evergreen init`, `evergreen upgrade` and `evergreen sbom` print."""

from typing import Any

from rich.text import Text

from evergreen.scaffold.team_repository import Change, Written


def repository(written: Written) -> Text:
    """The files that were written, and those that were left as they are."""
    lines = [f"The repository {written.folder}: {len(written.written)} files written."]
    lines += [f"  {path}" for path in written.written]
    lines += [f"Left as it is, since it was changed: {path}" for path in written.left]
    if not written.locked:
        lines.append(
            "requirements.lock does not name Evergreen, as pip has not kept the hash of its wheel. Name the folder "
            "that holds the wheel as WHEELS, or let `make lock WHEELS=FOLDER` write a lock that names it."
        )
    return Text("\n".join(lines))


def differences(changes: list[Change], check: bool) -> Text:
    """What this release writes differently, file by file."""
    if not changes:
        return Text("Nothing differs from what this release of Evergreen writes.")
    lines = []
    for change in changes:
        state = "would be written" if check else "written"
        lines.append(f"{change.path}: {'changed by you, so it is left; the difference' if change.yours else state}")
        lines += [f"  {line}" for line in change.diff.splitlines() if change.yours or check]
    return Text("\n".join(lines))


def listed(document: dict[str, Any], path: str) -> Text:
    """What a bill of materials holds, and where it is."""
    of, components = document["metadata"]["component"], document["components"]
    required = sum(component["scope"] == "required" for component in components)
    licensed = sum("licenses" in component for component in components)
    return Text(
        f"{len(components)} packages of {of['name']} {of['version']} are listed in {path}: {required} to run it, the "
        f"rest for extras and tests. {licensed} state a licence here."
    )
