"""Write the reference pages that follow from the code: the command line, the model file, the public API.

`python -m docs.generate` writes them, `python -m docs.generate --check` says which are out of date (exit code 1).
"""

import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args, get_origin

import griffe
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import evergreen
from evergreen.definition.kinds.register import KINDS

REFERENCE = Path(__file__).resolve().parent / "reference"
WRITTEN = "<!-- Written by `make docs` from the code; change it there. -->\n"
_BEGIN, _END = "<!-- begin: written by `make docs` from the code -->", "<!-- end -->"
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
# What a model file is made of, in the order of the page.
PARTS = (
    "Model",
    "Files",
    "Csv",
    "Sql",
    "Call",
    "Served",
    "TimeFormat",
    "NumberFormat",
    "TextFormat",
    "TimePart",
    "Training",
    "Search",
    "Gates",
    "Fairness",
    "Policy",
    "Monitoring",
    "Serving",
)


def pages() -> dict[str, str]:
    """The text of every generated page, by its name."""
    return {
        "cli.md": command_line(),
        "exit-codes.md": exit_codes(),
        "model-file.md": model_file(),
        "api.md": public_api(),
        "mlflow.md": _filled((REFERENCE / "mlflow.md").read_text(), tags()),
    }


def _filled(page: str, text: str) -> str:
    """A page with a text between its marks."""
    head, rest = page.split(_BEGIN)
    return f"{head}{_BEGIN}\n{text}{_END}{rest.split(_END)[1]}"


def tags() -> str:
    """The tags of a version, from its properties."""
    from evergreen.registry.tags import Tag
    from evergreen.registry.version import Version

    members = [tag for tag in vars(Version).values() if isinstance(tag, Tag)]
    rows = [f"| `evergreen.{tag.stored}` | {tag.kind} | {_cell(tag.meaning)} |" for tag in members]
    return "\n".join(["| tag | type | holds |", "| --- | --- | --- |", *rows]) + "\n"


# The command line


def exit_codes() -> str:
    """The exit codes with their meaning."""
    from evergreen.exit_codes import Exit

    rows = [f"| {code.value} | {code.name.lower()} | {code.meaning} |" for code in Exit]
    lines = [
        "# Exit codes",
        "",
        WRITTEN,
        "A program can tell from the exit code what a command came to. [The command line](cli.md) says which codes "
        "a command can end with.",
        "",
        "| code | name | meaning |",
        "| --: | --- | --- |",
        *rows,
        "",
        "[Troubleshooting](../troubleshooting.md) says what to do about each.",
    ]
    return "\n".join(lines) + "\n"


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
    return f"| {name} | {_cell(parameter.help or '')}{_limits(parameter)} | {_default(parameter)} |"


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
    return _cell(_sentences(help).split("\n\n")[0])


def _sentences(help: str) -> str:
    paragraphs = inspect.cleandoc(help or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# The model file


def model_file() -> str:
    """Every field of what a model file is made of."""
    lines = ["# The model file", "", WRITTEN]
    lines += [
        "A model file defines one object, `model = Model(...)`, of the parts below. `from evergreen import Model, ...` "
        "gives all of them. [Add a model](../how-to/add-a-model.md) explains them by example.",
        "",
        "A duration is text such as `30min`, `12h`, `7d` or `4w`, or a `timedelta`. The kinds of columns are "
        f"{', '.join(f'`{kind}`' for kind in KINDS)}. An unknown field is an error.",
        "",
    ]
    for name in PARTS:
        lines += _part(name, getattr(evergreen, name))
    lines += _expectations()
    return "\n".join(lines).rstrip() + "\n"


def _part(name: str, part: type[BaseModel]) -> list[str]:
    described = dict(_described(part))
    _complete(name, part)
    rows = [
        f"| {', '.join(f'`{field}`' for field in names)} | {_cell(_code(meaning))} | {_each(part, names)} |"
        for names, meaning in _in_order(part, described)
    ]
    return [
        f"## {name}",
        "",
        _summary(part),
        "",
        "| field | meaning | type and default |",
        "| --- | --- | --- |",
        *rows,
        "",
    ]


def _complete(name: str, part: type) -> None:
    """Refuse a public class with a field that its docstring says nothing of."""
    fields = getattr(part, "model_fields", None) or (part.__dataclass_fields__ if is_dataclass(part) else {})
    described = {field for names, meaning in _described(part) if meaning.strip() for field in names}
    missing = [field for field in fields if field not in described and not field.startswith("_")]
    if missing:
        raise SystemExit(f"evergreen.{name} describes no {missing}: add them to the Attributes of its docstring.")


def _in_order(part: type[BaseModel], described: dict[tuple[str, ...], str]) -> Iterator[tuple[list[str], str]]:
    place = {field: number for number, field in enumerate(part.model_fields)}
    for names, meaning in sorted(
        described.items(), key=lambda item: min((place.get(name, 99) for name in item[0]), default=99)
    ):
        known = [name for name in names if name in place]
        if known:
            yield known, meaning


def _described(part: type) -> Iterator[tuple[tuple[str, ...], str]]:
    """The attributes that a class and its bases describe, as they stand together."""
    for of in reversed([base for base in part.__mro__ if base not in (object, BaseModel)]):
        for section in _docstring(of):
            if section.kind is griffe.DocstringSectionKind.attributes:
                for attribute in section.value:
                    names = tuple(name.strip() for name in attribute.name.split(","))
                    yield names, attribute.description or ""


def _docstring(of: Any) -> list[Any]:
    return griffe.Docstring(inspect.cleandoc(of.__dict__.get("__doc__") or ""), lineno=1).parse("numpy", warnings=False)


def _summary(of: Any) -> str:
    text = next((section.value for section in _docstring(of) if section.kind is griffe.DocstringSectionKind.text), "")
    return _code("\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n")))


def _code(text: str) -> str:
    return text.replace("``", "`")


def _each(part: type[BaseModel], names: list[str]) -> str:
    """The type and the default of fields, once if they share them."""
    texts = [f"{_kind_of(part.model_fields[name])}; {_default_of(part.model_fields[name])}" for name in names]
    if len(set(texts)) == 1:
        return texts[0]
    return "<br>".join(f"`{name}`: {text}" for name, text in zip(names, texts, strict=True))


def _kind_of(field: FieldInfo) -> str:
    limits = {name: getattr(rule, name) for rule in field.metadata for name in _BOUNDS if hasattr(rule, name)}
    bounds = [f"{_BOUNDS[name]} {value}" for name, value in limits.items() if not isinstance(value, timedelta)]
    return _cell(", ".join([_kind(field.annotation), *bounds]))


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    if annotation == get_args(evergreen.Model.model_fields["features"].annotation)[1]:
        return "a kind"
    if origin is typing.Annotated:
        return _kind(get_args(annotation)[0])
    if origin is typing.Literal:
        return " or ".join(f'`"{value}"`' for value in get_args(annotation))
    if origin in (typing.Union, types.UnionType):
        return " or ".join("None" if member is types.NoneType else _kind(member) for member in get_args(annotation))
    if origin is list:
        return f"list of {_kind(get_args(annotation)[0])}"
    if origin is dict:
        return f"dict of {_kind(get_args(annotation)[0])} to {_kind(get_args(annotation)[1])}"
    if origin is not None or annotation in (Callable, typing.Callable):
        return "function"
    names = {"str": "text", "bool": "true or false", "int": "whole number", "float": "number", "timedelta": "duration"}
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, "time" if name == "datetime" else f"`{name}`")


def _default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True) if field.default_factory else field.default
    if value is PydanticUndefined or value is None:
        return "default None"
    if isinstance(value, timedelta):
        return f"default `{_duration(value)}`"
    return f"default `{type(value).__name__}()`" if isinstance(value, BaseModel) else f"default `{value!r}`"


def _duration(value: timedelta) -> str:
    for seconds, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if not value.total_seconds() % seconds:
            return f"{value.total_seconds() / seconds:.0f}{unit}"
    return f"{value.total_seconds():g}s"


def _expectations() -> list[str]:
    return [
        "## expect",
        "",
        f"`expect{inspect.signature(evergreen.expect)}`".replace('"', ""),
        "",
        _summary_of(evergreen.expect),
        "",
    ]


def _summary_of(function: Any) -> str:
    return _code(
        "\n\n".join(
            " ".join(paragraph.split())
            for paragraph in inspect.cleandoc(function.__doc__).split("\n\nParameters")[0].split("\n\n")
        )
    )


# The public API


def public_api() -> str:
    """Every public name with what it is; the site shows its docstring."""
    for name in evergreen.__all__:
        if isinstance(getattr(evergreen, name), type):
            _complete(name, getattr(evergreen, name))
    lines = ["# The public API", "", WRITTEN]
    lines += [
        "What `evergreen` exports, and all that model files, policies and gates of your own need. "
        "Whatever else the packages hold may change.",
        "",
        "| name | what it is |",
        "| --- | --- |",
        *(
            f"| [`{name}`](#evergreen.{name}) | {_cell(_line(getattr(evergreen, name)))} |"
            for name in evergreen.__all__
        ),
        "",
        "The site shows the docstring of each below; `help(evergreen.NAME)` in Python does too.",
        "",
        *(_shown_by_the_site(name) for name in evergreen.__all__),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _shown_by_the_site(name: str) -> str:
    """What mkdocstrings reads; of a part of a model file only the fields, which the docstring describes."""
    fields_only = "    options: {members: false}\n" if hasattr(getattr(evergreen, name), "model_fields") else ""
    return f"::: evergreen.{name}\n{fields_only}"


def _line(of: Any) -> str:
    return _code(inspect.cleandoc(of.__doc__ or "").split("\n\n")[0])


def main() -> None:
    """Write the pages, or check them."""
    texts = pages()
    stale = [
        name
        for name, text in texts.items()
        if not (REFERENCE / name).is_file() or (REFERENCE / name).read_text() != text
    ]
    if "--check" in sys.argv:
        if stale:
            sys.exit(f"Out of date in docs/reference: {', '.join(stale)}. Run `make docs`, and commit them.")
        return
    for name in stale:
        (REFERENCE / name).write_text(texts[name])


if __name__ == "__main__":
    main()
