"""Model files that define many models by one template: which names they define, and one model of them."""

import ast
import re
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from evergreen.definition import model_code
from evergreen.definition.code.source_files import Code
from evergreen.definition.each import Each, Named, Row, named, rows_of
from evergreen.errors import ModelFileError, translated
from evergreen.files import Touched, settled, touched

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_DEFINES = re.compile(rb"^models\s*(:[^=\n]*)?=\s*(\w+\.)*Model\.each\(", re.MULTILINE)


def is_template(path: Path, text: str | None = None) -> bool:
    """Whether a model file defines many models, by its text alone; `text` instead of what is in the file, if given."""
    if text is None and _as_before(path):
        return True
    try:
        source = path.read_bytes() if text is None else text.encode()
    except OSError:
        return False
    return _DEFINES.search(source) is not None and _assigns(source)


def _assigns(source: bytes) -> bool:
    """Whether the statement is one, and no line of a text; of a file that cannot be parsed, running it says why."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError):
        return True
    targets = [target for node in statements if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in statements if isinstance(node, ast.AnnAssign)]
    return any(isinstance(target, ast.Name) and target.id == "models" for target in targets)


@dataclass(frozen=True)
class Template:
    """A model file that ran, with its rows.

    Attributes
    ----------
    path : Path
    code : Code
        Its Python code.
    each : Each
    text : str
        Of the CSV; empty where the file holds the rows.
    """

    path: Path
    code: Code
    each: Each
    text: str
    _made: dict[str, "Model"] = field(default_factory=dict, repr=False, compare=False)

    @property
    def names(self) -> list[str]:
        """The names of its models; its own as well where there is something that a person has to mend."""
        return [*self._named.rows, *([self.path.stem] if self._named.unusable else [])]

    def defines(self, name: str) -> bool:
        """Whether a row is the model of that name."""
        return name in self._named.rows

    def code_of(self, name: str) -> Code:
        """The code of one model: of a CSV its own row, so that a change of another row is none of this model."""
        if not self.each.table:
            return self.code
        return Code.of_texts({**dict(self.code.files), self.each.table: self._row(name).as_csv()})

    def model(self, name: str) -> "Model":
        """One model; no other row is filled in.

        Raises
        ------
        ModelFileError
            No row has that name, or more than one, or the template makes no model of it.
        """
        row = self._row(name)
        if name not in self._made:
            self._made[name] = _filled_in(self, row, name)
        return self._made[name]

    @cached_property
    def places(self) -> list[str]:
        """The files that it was made of, and their folders, where another file could take the place of one."""
        files = [PurePosixPath(file) for file in (*dict(self.code.files), self.each.table) if file]
        return sorted({str(self.path.parent / place) for file in files for place in (file, file.parent)})

    @cached_property
    def _named(self) -> Named:
        return named(self.each, _rows(self.path, self.each, self.text), self.path.stem)

    @property
    def rows_name(self) -> str:
        """What the rows are called."""
        return self.each.table or "the rows"

    def _row(self, name: str) -> Row:
        found = self._named.rows.get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            numbers = " and ".join(str(row.number) for row in found)
            raise ModelFileError(
                f"{self.path}: rows {numbers} of {self.rows_name} are both {name!r}. Rename one of them."
            )
        if self._named.unusable:
            more = f", and {len(self._named.unusable) - 1} more" if len(self._named.unusable) > 1 else ""
            raise ModelFileError(f"{self.path}: {self.rows_name}, {self._named.unusable[0]}{more}. Mend the row.")
        first = next(iter(self._named.rows), "")
        example = f"Name one of them, such as {first!r}." if first else "There are no rows."
        raise ModelFileError(f"{self.path} defines {len(self._named.rows)} models, and none is {name!r}. {example}")


def template(path: Path, text: str | None = None) -> Template:
    """Run a model file that defines many models; `text` instead of what is in the file, if given.

    Raises
    ------
    ModelFileError
        It does not run, its `models` are not what `Model.each` returns, or its CSV cannot be read.
    """
    known = _as_before(path) if text is None else None
    if known is not None:
        return known
    began = time.time_ns()  # a change while it runs has a later time
    made = _run(path, text)
    if text is None:
        _, earlier = _TEMPLATES.get(path, (None, None))
        made = earlier if earlier == made else made  # with the models that are made
        _TEMPLATES[path] = _state(made, began), made
    return made


def _run(path: Path, text: str | None) -> Template:
    code = model_code.code_at(path, text)
    defined = model_code.run(path, code)
    each = defined.get("models")
    if not isinstance(each, Each):
        raise ModelFileError(f"{path}: `models` is {type(each).__name__}. Write `models = Model.each(...)`.")
    if "model" in defined:
        raise ModelFileError(f"{path} defines both `model` and `models`. Put `model` into a file of its own.")
    return Template(path, code, each, _text(path, each))


def _as_before(path: Path) -> Template | None:
    """What a file defined when it last ran, if nothing that it was made of has changed; None if something may have."""
    state, known = _TEMPLATES.get(path, (None, None))
    return known if known is not None and state is not None and state == _state(known, time.time_ns()) else None


def _state(found: Template, now: int) -> list[Touched] | None:
    """Equal as long as no file of a template has changed; None where a change may not be told from the one before."""
    looked = [touched(place) for place in found.places]
    return looked if settled(looked, now) else None


def rows_file(path: Path) -> Path | None:
    """The CSV that a model file goes over; None where it is none, or the file does not run.

    Raises
    ------
    ModelFileError
        The file does not run.
    """
    found = template(path).each.table if is_template(path) else ""
    return path.parent / found if found else None


def _text(path: Path, each: Each) -> str:
    if not each.table:
        return ""
    place = PurePosixPath(each.table)
    if place.is_absolute() or ".." in place.parts:
        raise ModelFileError(
            f"{path}: the table {each.table!r} lies outside of the folder of the model files. Put it beside the file: "
            "it is kept with each version, as the file is."
        )
    file = path.parent / place
    message = f"{path}: the table {file} cannot be read: {{reason}}. Write it as a CSV in UTF-8, with a header."
    with translated(ModelFileError, message, OSError, UnicodeError):
        return file.read_bytes().decode("utf-8-sig")


_TEMPLATES: dict[Path, tuple[list[Touched] | None, Template]] = {}  # by file: what it last was


def _rows(path: Path, each: Each, text: str) -> list[Row]:
    if not isinstance(each.over, str):
        return [Row(number, values) for number, values in enumerate(each.over, 1)]
    message = f"{path}: the table {path.parent / each.table} cannot be read: {{reason}}. Mend it."
    with translated(ModelFileError, message, ValueError):
        return rows_of(text)


def _filled_in(template: Template, row: Row, name: str) -> "Model":
    from evergreen.definition.model import Model

    place = f"{template.path}, row {row.number} of {template.rows_name} ({name})"
    try:
        made = template.each.template(name=name, **row.values)
    except (Exception, SystemExit) as error:
        raise ModelFileError(f"{place}{model_code.reason(error, template.code)}") from error
    if not isinstance(made, Model):
        raise ModelFileError(f"{place}: the template returned {type(made).__name__}, and no Model.")
    if made.name != name:
        raise ModelFileError(f"{place}: the template made {made.name!r}. Hand its `name` on: Model(name=name, ...).")
    return made
