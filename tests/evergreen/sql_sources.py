"""The parts of SQL in the source: which are neither quoted nor made of parts that are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_WORDS = r"SELECT|FROM|WHERE|JOIN|DESCRIBE|COPY|CREATE|QUALIFY|CASE WHEN|PARTITION BY|ORDER BY|GROUP BY|UNION"
_CONDITIONS = r"IS NULL|IS NOT NULL|IS DISTINCT FROM|TRY_CAST\(|CAST\(|BETWEEN|[<>]= \$|>= \?|< \?"
SQL = re.compile(rf"\b(?:{_WORDS})\b|{_CONDITIONS}")
# They quote what they are given, or give a number.
QUOTING = {"quoted", "column", "columns", "same", "within", "equal", "literal", "identifier", "len", "int"}
# They make SQL of what they quote; a function whose name ends in `_sql` does too, and takes SQL.
MAKING = {"matches", "belongs", "bucket", "sql", "quote"}
# Methods of text that leave what was quoted as it was.
_HARMLESS = {"rstrip", "strip"}


def sources() -> Iterator[Path]:
    """The files that make SQL for users' tables."""
    for part in ("evergreen", "tasks", "flows", "serving", "cli", "ui"):
        yield from sorted((ROOT / part).glob("**/*.py"))


class Checker(ast.NodeVisitor):
    """Lists the parts of a file's SQL that are neither quoted nor made of parts that are."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree, self.scopes, self.found = tree, [tree], []
        self.visit(tree)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.scopes.append(node)
        self.generic_visit(node)
        self.scopes.pop()

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        text = "".join(part.value if isinstance(part, ast.Constant) else "?" for part in node.values)
        if SQL.search(text) and not self._is_message(text):
            self._check(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """A text and a name that are added, or put together by `%`."""
        text = node.left.value if isinstance(node.left, ast.Constant) else None
        if isinstance(text, str) and SQL.search(text) and not self._is_message(text) and not self.safe(node.right):
            self.found.append(f"{self._function()}: {ast.unparse(node.right)}")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """A text that is filled by `format`."""
        match node.func:
            case ast.Attribute(value=ast.Constant(value=str() as text), attr="format") if SQL.search(text):
                given = [*node.args, *(word.value for word in node.keywords)]
                self.found += [f"{self._function()}: {ast.unparse(part)}" for part in given if not self.safe(part)]
        self.generic_visit(node)

    def _function(self) -> str:
        return self.scopes[-1].name if len(self.scopes) > 1 else ""

    def _is_message(self, text: str) -> bool:
        return text.rstrip().endswith((".", ":")) or ". " in text

    def _check(self, node: ast.JoinedStr) -> None:
        for part in node.values:
            if isinstance(part, ast.FormattedValue) and not self.safe(part.value):
                self.found.append(f"{self._function()}: {ast.unparse(part.value)}")

    def safe(self, node: ast.AST, seen: frozenset[str] = frozenset()) -> bool:
        """Whether an expression is a constant, a quoted name, or put together of such."""
        parts = _parts(node)
        if parts is not None:
            return all(self.safe(part, seen) for part in parts)
        match node:
            case ast.ListComp(elt=elt) | ast.GeneratorExp(elt=elt) | ast.SetComp(elt=elt):
                return self.safe(elt, seen | self._listed(node))
            case ast.Name(id=name):
                return name.lstrip("_").isupper() or name in seen or self._assigned(name, seen)
            case ast.Attribute(attr=attr):
                return attr.lstrip("_").isupper()
        return isinstance(node, ast.Call) and self._call(node, seen)

    def _call(self, node: ast.Call, seen: frozenset[str]) -> bool:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in QUOTING | MAKING or name.endswith("_sql"):
            return True
        if name == "map":
            return isinstance(node.args[0], ast.Name) and node.args[0].id in QUOTING
        if isinstance(node.func, ast.Attribute) and name == "join":
            return all(self.safe(argument, seen) for argument in node.args)
        if isinstance(node.func, ast.Attribute) and name in _HARMLESS:
            return self.safe(node.func.value, seen)
        return any(isinstance(given, ast.FunctionDef) and given.name == name for given in ast.walk(self.tree))

    def _listed(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> frozenset[str]:
        """The variables of a comprehension over parts that are safe."""
        return frozenset(
            name.id
            for loop in node.generators
            if self.safe(loop.iter)
            for name in ast.walk(loop.target)
            if isinstance(name, ast.Name)
        )

    def _assigned(self, name: str, seen: frozenset[str]) -> bool:
        """Whether all that is assigned to a variable is safe; an argument is not, but of a function of fragments."""
        if self._function().endswith("_sql"):
            return True
        values = [value for scope in self.scopes[1:] for value in _values(scope, name)]
        return bool(values) and all(self.safe(value, seen | {name}) for value in values)


def _parts(node: ast.AST) -> list[ast.expr] | None:
    """What an expression is put together of; None if it is a variable or a call."""
    match node:
        case ast.Constant() | ast.Compare():
            return []
        case ast.JoinedStr(values=values):
            return [part.value for part in values if isinstance(part, ast.FormattedValue)]
        case ast.IfExp(body=left, orelse=right) | ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.BoolOp(values=values) | ast.List(elts=values) | ast.Tuple(elts=values) | ast.Set(elts=values):
            return values
        case ast.Starred(value=value) | ast.NamedExpr(value=value):
            return [value]
    return None


def _values(scope: ast.AST, name: str) -> Iterator[ast.AST]:
    """What is assigned to a variable, also by `+=` and within a tuple."""
    for node in ast.walk(scope):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.NamedExpr) or node.value is None:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id == name:
                yield node.value
            elif isinstance(target, ast.Tuple) and any(getattr(part, "id", "") == name for part in target.elts):
                place = [getattr(part, "id", "") for part in target.elts].index(name)
                whole = node.value
                yield whole.elts[place] if isinstance(whole, ast.Tuple) else whole
