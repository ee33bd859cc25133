"""The page of the command line, from the commands themselves."""

import inspect
import typing
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from docs.reference_pages.parts import WRITTEN, cell


def command_line() -> str:
    """Every command with its arguments, options and exit codes, from the commands themselves."""
    from typer.main import get_command

    from cli.main import app

    top: Any = get_command(app)
    commands = list(_shown(top))
    panels = list(dict.fromkeys(_panel(command) for _, command in commands))
    lines = ["# The command line", "", WRITTEN, _sentences(top.help), ""]
    lines += [
        "`evergreen COMMAND --help` shows the same. [Exit codes](exit-codes.md) lists what the codes mean; "
        "2 is a usage error of any command, 1 any failure, and 130 an end by Ctrl-C.",
        "",
        "With `--json`, a command writes one JSON document to standard output, whatever its exit code. If it ends "
        "without a result (1, 2, 6, 130), it writes nothing there; the sentence that says why is on standard error.",
        "",
        *_parameters(top),
    ]
    for panel in panels:
        members = [(name, command) for name, command in commands if _panel(command) == panel]
        lines += [*([f"## {panel}", ""] if len(panels) > 1 else []), *_overview(members)]
        for name, command in members:
            lines += _command(f"evergreen {name}", command, "###" if len(panels) > 1 else "##")
    return "\n".join(lines).rstrip() + "\n"


def _shown(group: Any) -> Iterator[tuple[str, Any]]:
    return ((name, command) for name, command in group.commands.items() if not command.hidden)


def _panel(command: Any) -> str:
    return command.rich_help_panel if isinstance(command.rich_help_panel, str) else "Commands"


def _overview(members: list[tuple[str, Any]]) -> list[str]:
    rows = [f"| [`{name}`](#evergreen-{name}) | {_first(command.help)} |" for name, command in members]
    return ["| command | does |", "| --- | --- |", *rows, ""]


def _command(name: str, command: Any, heading: str) -> list[str]:
    lines = [f"{heading} evergreen {name.removeprefix('evergreen ')}", "", "```", _usage(name, command), "```", ""]
    lines += [_sentences(command.help), "", *_parameters(command)]
    lines += [command.epilog, ""] if command.epilog else []
    for sub, of in _shown(command) if hasattr(command, "commands") else ():
        lines += _command(f"{name} {sub}", of, f"{heading}#")
    return lines


def _usage(name: str, command: Any) -> str:
    if hasattr(command, "commands"):
        return f"{name} COMMAND"
    options = [_named(param) for param in command.params if _is_option(param) and param.required]
    arguments = [_argument(param) for param in command.params if not _is_option(param)]
    return " ".join([name, *arguments, *options, "[OPTIONS]"])


def _is_option(parameter: Any) -> bool:
    return str(parameter.opts[0]).startswith("-")


def _argument(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name.upper()).strip("[]") if parameter.nargs == -1 else parameter.metavar
    name = name or parameter.name.upper()
    return str(name) if parameter.required else f"[{name}]"


def _named(option: Any) -> str:
    value = option.metavar or _typed(option)
    return f"{option.opts[0]} {value}" if value else str(option.opts[0])


def _typed(option: Any) -> str:
    if option.is_flag:
        return ""
    annotation = option.type_descriptor.annotation
    if get_origin(annotation) is typing.Literal:
        return "|".join(map(str, get_args(annotation)))
    of = get_args(annotation)[0] if get_origin(annotation) is list else annotation
    name = str(of.__name__)
    return {"str": "TEXT", "int": "INTEGER", "float": "NUMBER", "datetime": "TIME", "Path": "PATH"}.get(name, name)


def _parameters(command: Any) -> list[str]:
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    rows = [_row(param) for param in shown if param.name not in ("help", "install_completion", "show_completion")]
    return ["| argument or option | meaning | default |", "| --- | --- | --- |", *rows, ""] if rows else []


def _row(parameter: Any) -> str:
    if _is_option(parameter):
        names = "`, `".join([*parameter.opts, *parameter.secondary_opts])
        value = parameter.metavar or _typed(parameter)
        name = f"`{names}`" + (f" {value}" if value else "").replace("|", "\\|")
    else:
        name = f"`{_argument(parameter)}`".replace("|", "\\|")
    return f"| {name} | {cell(parameter.help or '')}{_limits(parameter)} | {_default(parameter)} |"


def _limits(parameter: Any) -> str:
    low, high = parameter.min, parameter.max
    if low is None and high is None:
        return ""
    return f" From {low} to {high}." if high is not None else f" At least {low}."


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if parameter.default in (None, "", False, [], ()) or callable(parameter.default):
        return ""
    return f"`{parameter.default}`"


def _first(help: str) -> str:
    return cell(_sentences(help).split("\n\n")[0])


def _sentences(help: str) -> str:
    paragraphs = inspect.cleandoc(help or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
