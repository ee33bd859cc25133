"""What `evergreen doctor --security` prints: processes, ports, files, and what is open."""

import sys
from typing import Any

from rich.console import Group
from rich.text import Text

from cli.render.parts import as_it_is, table_of
from evergreen.governance.exposure import Exposure

_NOTHING = "Neither `evergreen up` nor `evergreen serve` runs in this home, so nothing listens."


def exposure(found: Exposure) -> Any:
    """Processes, ports and files of a home, and what of them is open."""
    running = table_of("Processes", "pid", "part")
    for process in found.processes:
        running.add_row(str(process.pid), process.part or "?")
    ports = table_of("Ports", "address", "part", "pid", "key", "", "to close it")
    for port in found.ports:
        listener = port.listener
        address = f"{listener.address}:{listener.port}"
        ports.add_row(address, listener.part or "?", str(listener.pid), listener.key, _word(port.problem), port.close)
    files = table_of("Files", "mode", "", "holds", "path", uncut="path")
    for file in found.files:
        files.add_row(file.mode, _word(file.problem), file.holds, Text(file.path))
    problems = [as_it_is(problem, "red") for problem in found.problems]
    nothing = Text(_NOTHING if sys.platform == "linux" else "Processes and ports are found on Linux only.")
    parts = [running, ports] if found.processes else [nothing]
    return Group(
        *parts, files, Text(f"API keys of the prediction service in this environment: {found.keys}."), *problems
    )


def _word(problem: str) -> Text:
    return Text("OPEN", style="bold red") if problem else Text("ok", style="green")
