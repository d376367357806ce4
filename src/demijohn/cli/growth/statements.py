"""A program of one file as the statements at its top: their text, what they bind, and what they use."""

import ast
import io
import symtable
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Import", "Program", "Statement", "comments_of", "names_of"]


@dataclass(frozen=True, slots=True)
class Import:
    """A name that an import binds."""

    module: str
    name: str | None
    """What is imported from the module; None where it is the module itself."""
    bound: str
    """The name that the file knows it by."""
    given: str | None = None
    """The name behind `as`."""
    is_typing: bool = False
    """Whether it stands below `if TYPE_CHECKING:`."""

    @property
    def path(self) -> str:
        """What the name stands for, with dots."""
        if self.name is not None:
            return f"{self.module}.{self.name}"
        return self.module if self.given else self.module.partition(".")[0]


@dataclass(slots=True, eq=False)
class Statement:
    """What stands between two line breaks at the top of a file; several statements where `;` is between them."""

    number: int
    nodes: list[ast.stmt]
    line: int
    lead: str
    """The empty lines and comments before it."""
    text: str
    """Its own lines, as they were written."""
    binds: set[str] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)
    """Names of the file that it reads, when it is loaded or when it is called."""
    globals: set[str] = field(default_factory=set)
    """Names of the file that its functions bind anew."""

    @property
    def node(self) -> ast.stmt:
        """Its (first) node."""
        return self.nodes[0]

    @property
    def is_definition(self) -> bool:
        """Whether it is a class or a function."""
        return isinstance(self.node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)

    @property
    def label(self) -> str:
        """What people call it."""
        names = sorted(self.binds)
        return ", ".join(names) if names else f"line {self.line}"


class Program:
    """A Python file, taken apart.

    Args:
        text: The source.
        stem: The name of the module that it is.

    Raises:
        SyntaxError: It is not good Python.
    """

    def __init__(self, text: str, *, stem: str) -> None:
        self.text = text
        self.stem = stem
        self.lines = text.splitlines(keepends=True)
        if self.lines and not self.lines[-1].endswith("\n"):
            self.lines[-1] += "\n"
        self.tree = ast.parse(text)
        self.docstring: Statement | None = None
        self.imports: list[Statement] = []
        self.typing_blocks: list[Statement] = []
        self.statements: list[Statement] = []
        self.imported: dict[str, list[Import]] = {}
        self.of_import: dict[int, list[Import]] = {}
        self.has_future_annotations = False
        self.stars: list[int] = []
        self.relative: list[int] = []
        self.header = ""
        self.tail = ""
        self._take_apart()

    def resolve(self, node: ast.expr | None) -> str:
        """Return what an expression stands for, with dots: `demijohn.App`; its own text for a name of the file."""
        if isinstance(node, ast.Subscript):
            return self.resolve(node.value)
        if isinstance(node, ast.Call):
            return self.resolve(node.func)
        if isinstance(node, ast.Attribute):
            inner = self.resolve(node.value)
            return f"{inner}.{node.attr}" if inner else ""
        if isinstance(node, ast.Name):
            known = self.imported.get(node.id)
            return known[-1].path if known else node.id
        return ""

    def segment(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Return where a node begins and ends in the text of the file."""
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno or 0, node.end_col_offset or 0)

    def offset(self, line: int, column: int) -> int:
        """Return the place in the text of a line and a column in bytes."""
        before = sum(len(one) for one in self.lines[: line - 1])
        return before + len(self.lines[line - 1].encode()[:column].decode())

    @property
    def whole(self) -> str:
        """The text, with a line feed at the end."""
        return "".join(self.lines)

    def _take_apart(self) -> None:
        groups: list[list[ast.stmt]] = []
        end = 0
        for node in self.tree.body:
            if groups and _start(node) <= end:
                groups[-1].append(node)
            else:
                groups.append([node])
            end = max(end, node.end_lineno or node.lineno)
        end = 0
        found: list[Statement] = []
        for number, nodes in enumerate(groups):
            start = _start(nodes[0])
            last = max(node.end_lineno or node.lineno for node in nodes)
            lead = "".join(self.lines[end : start - 1])
            found.append(Statement(number, nodes, start, lead, "".join(self.lines[start - 1 : last])))
            end = last
        self.tail = "".join(self.lines[end:])
        if found:
            self.header, found[0].lead = found[0].lead, ""
        for statement in found:
            self._sort_in(statement)
        known = {name for statement in self.statements for name in statement.binds} | self.imported.keys()
        for statement in (*self.statements, *self.typing_blocks):
            statement.uses &= known
            statement.globals &= known

    def _sort_in(self, statement: Statement) -> None:
        node = statement.node
        if statement.number == 0 and _is_docstring(node) and len(statement.nodes) == 1:
            self.docstring = statement
        elif all(isinstance(one, ast.Import | ast.ImportFrom) for one in statement.nodes):
            self._read_imports(statement, statement.nodes, is_typing=False)
            self.imports.append(statement)
        elif isinstance(node, ast.If) and self._is_typing_block(node):
            self._read_imports(statement, node.body, is_typing=True)
            self.typing_blocks.append(statement)
        else:
            statement.binds, statement.uses, statement.globals = names_of(statement.text)
            self.statements.append(statement)

    def _is_typing_block(self, node: ast.If) -> bool:
        return (
            self.resolve(node.test) == "typing.TYPE_CHECKING"
            and not node.orelse
            and all(isinstance(one, ast.Import | ast.ImportFrom) for one in node.body)
        )

    def _read_imports(self, statement: Statement, nodes: list[ast.stmt], *, is_typing: bool) -> None:
        read = self.of_import.setdefault(statement.number, [])
        for node in nodes:
            if isinstance(node, ast.Import):
                read += [
                    Import(each.name, None, each.asname or each.name.partition(".")[0], each.asname, is_typing)
                    for each in node.names
                ]
            elif isinstance(node, ast.ImportFrom):
                if node.level:
                    self.relative.append(node.lineno)
                    continue
                if node.module == "__future__":
                    self.has_future_annotations |= any(each.name == "annotations" for each in node.names)
                    continue
                if any(each.name == "*" for each in node.names):
                    self.stars.append(node.lineno)
                    continue
                read += [
                    Import(str(node.module), each.name, each.asname or each.name, each.asname, is_typing)
                    for each in node.names
                ]
        for one in read:
            self.imported.setdefault(one.bound, []).append(one)


def comments_of(text: str) -> list[str]:
    """Return the comments in a text of Python, in their order."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def _start(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)])


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def names_of(text: str) -> tuple[set[str], set[str], set[str]]:
    """Return of statements the names they bind, those they read now or later, and those their functions bind anew."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        table = symtable.symtable(text, "statement", "exec")
        tree = ast.parse(text)
    binds: set[str] = set()
    uses: set[str] = set()
    rebound: set[str] = set()
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
            binds.add(symbol.get_name())
        if symbol.is_referenced():
            uses.add(symbol.get_name())
    waiting = list(table.get_children())
    while waiting:
        inner = waiting.pop()
        waiting += inner.get_children()
        is_class = inner.get_type() == "class"
        for symbol in inner.get_symbols():
            if symbol.is_declared_global() and symbol.is_assigned():
                rebound.add(symbol.get_name())
            # A class may read a name of the file before it binds its own: `date: Mapped[date]`.
            if symbol.is_global() or (is_class and symbol.is_referenced() and symbol.is_assigned()):
                uses.add(symbol.get_name())
    for one in ast.walk(tree):
        if isinstance(one, ast.arg | ast.AnnAssign) and one.annotation is not None:
            uses.update(_written(one.annotation))
        elif isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.returns is not None:
            uses.update(_written(one.returns))
        elif isinstance(one, ast.ClassDef):
            for base in one.bases:
                uses.update(_written(base))
        elif isinstance(one, ast.Assign) and isinstance(one.value, ast.Subscript | ast.BinOp):
            uses.update(_written(one.value))
        elif isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name):
            uses.add(one.target.id)
    return binds, uses, rebound


def _written(node: ast.expr) -> Iterator[str]:
    """Yield the names in the texts of an annotation: `Mapped["User | None"]`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            inner = ast.parse(node.value.strip(), mode="eval")
        except SyntaxError:
            return
        yield from (one.id for one in ast.walk(inner) if isinstance(one, ast.Name))
    elif isinstance(node, ast.Subscript):
        name = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
        if name == "Literal":
            return
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        for part in parts[:1] if name == "Annotated" else parts:
            yield from _written(part)
    elif isinstance(node, ast.BinOp):
        yield from _written(node.left)
        yield from _written(node.right)
    elif isinstance(node, ast.List | ast.Tuple):
        for part in node.elts:
            yield from _written(part)
