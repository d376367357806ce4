"""The text of each module: imports for what it uses, then its statements as they were written."""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from textwrap import indent

from demijohn.cli.growth.placement import ORDER, Piece, Placement, text_without
from demijohn.cli.growth.statements import Import, Program, Statement, comments_of
from demijohn.cli.sourcing import import_line

__all__ = ["Imports", "Modules"]

DOCSTRINGS = {
    "settings": "What differs between the places where the site runs.",
    "shared": "What several modules use.",
    "models": "What is kept in the database.",
    "batteries": "What is plugged into the app.",
    "forms": "Forms of your own.",
    "views": "What answers requests.",
    "urls": "Which view answers at which path.",
    "app": "The app: settings, batteries and routes.",
    "admin": "How the administration shows the models.",
}


@dataclass(slots=True)
class _Block:
    """Text that stands in a module, and the empty lines before it."""

    text: str
    lead: str = ""
    number: int = -1
    is_definition: bool = False


class Imports:
    """The imports of one module, in the order of isort and ruff.

    Args:
        package: The package of the project, whose modules stand in the last block.
        own: Other modules that lie beside it.
    """

    def __init__(self, package: str, own: Iterable[str] = ()) -> None:
        self.own = {package, *own}
        self.given: list[Import] = []
        self.comments: dict[Import, tuple[str, str]] = {}

    def add(self, one: Import, *, lead: str = "", trail: str = "") -> None:
        """Add an import, with the comments before and behind it."""
        if one not in self.given:
            self.given.append(one)
        if lead or trail:
            before, behind = self.comments.get(one, ("", ""))
            self.comments[one] = (before + lead, "  ".join(filter(None, (behind, trail))))

    def text(self, *, mark: str = "", only: str = "all") -> str:
        """Return them as text; `mark` is put behind each line, `only` is "own", "others" or "all"."""
        groups: dict[int, list[tuple[tuple[int, str, int, str], str]]] = defaultdict(list)
        together: dict[str, list[Import]] = defaultdict(list)
        for one in self.given:
            if one.is_typing or (only != "all" and (self._group(one.module) == 2) is not (only == "own")):
                continue
            if one.name is None or one.given:
                groups[self._group(one.module)].append((_rank(one), self._line(one, mark)))
            else:
                together[one.module].append(one)
        for module, several in together.items():
            before = "".join(dict.fromkeys(self.comments[one][0] for one in several if one in self.comments))
            behind = "  ".join(dict.fromkeys(self.comments[one][1] for one in several if one in self.comments)).strip()
            line, *rest = import_line(module, {str(one.name) for one in several}).split("\n")
            line += mark + (f"  {behind}" if behind else "")
            groups[self._group(module)].append(((1, module.lower(), 0, ""), before + "\n".join([line, *rest])))
        blocks = ["\n".join(line for _, line in sorted(groups[group])) for group in sorted(groups)]
        return "\n\n".join(blocks)

    def typing_text(self) -> str:
        """Return those for the type checker alone, as the block they stand in."""
        lines = [indent(self._line(one, ""), "    ") for one in sorted(self.given, key=_rank) if one.is_typing]
        return "\n".join(["if TYPE_CHECKING:", *dict.fromkeys(lines)]) if lines else ""

    def _line(self, one: Import, mark: str) -> str:
        before, behind = self.comments.get(one, ("", ""))
        given = f" as {one.given}" if one.given else ""
        line = f"import {one.module}{given}" if one.name is None else f"from {one.module} import {one.name}{given}"
        return f"{before}{line}{mark}{'  ' if behind else ''}{behind}"

    def _group(self, module: str) -> int:
        top = module.partition(".")[0]
        if top == "__future__":
            return -1
        return 2 if top in self.own else 0 if top in sys.stdlib_module_names else 1


class Modules:
    """The modules that a program becomes.

    Args:
        program: The file.
        placement: Where each of its statements goes.
        package: The name of the package.
        beside: Modules that lie beside the file.
        moved: The folders that move into the package.
    """

    def __init__(
        self,
        program: Program,
        placement: Placement,
        *,
        package: str,
        beside: Iterable[str] = (),
        moved: Iterable[str] = (),
    ) -> None:
        self.moved = [name.partition("/")[0] for name in moved]
        self.notes: list[str] = []
        self.program = program
        self.placement = placement
        self.package = package
        self.beside = tuple(beside)
        self.pieces: dict[str, list[Piece]] = defaultdict(list)
        for piece in placement.pieces:
            self.pieces[piece.module].append(piece)
        self.names = [name for name in ORDER if self.pieces[name] or name in ("views", "urls", "app")]
        self.imports = {name: Imports(package, self.beside) for name in self.names}
        self.taken = {name for statement in program.statements for name in statement.binds} | set(program.imported)
        self._import()

    def texts(self) -> dict[str, str]:
        """Return the text of each module by its name."""
        return {name: self._text(name) for name in self.names}

    # -- imports ------------------------------------------------------------------------------------------------------

    def alias(self, module: str) -> str:
        """Return the name by which others know a module, one that the program has not taken."""
        return f"_{module}" if module in self.taken else module

    def import_module(self, module: str, *, into: str) -> str:
        """Import a module into another one, and return what it is called there."""
        known = self.alias(module)
        given = known if known != module else None
        self.imports[into].add(Import(self.package, module, known, given))
        return known

    def _import(self) -> None:
        used: dict[str, set[str]] = {}
        for name in self.names:
            uses: set[str] = set()
            binds: set[str] = set()
            for piece in self.pieces[name]:
                uses |= piece.uses
                binds |= piece.binds
            for own in sorted(uses - binds):
                home = self.placement.module_of(own)
                if home is not None and home != name and not self._by_module(own, name, home):
                    self.imports[name].add(Import(f"{self.package}.{home}", own, own))
            used[name] = uses
        for statement in (*self.program.imports, *self.program.typing_blocks):
            self._share(statement, used)
        for name in self.names:
            if any(one.is_typing for one in self.imports[name].given):
                self.imports[name].add(Import("typing", "TYPE_CHECKING", "TYPE_CHECKING"))
            if self.program.has_future_annotations and self.pieces[name]:
                self.imports[name].add(Import("__future__", "annotations", "annotations"))
        self.imports["urls"].add(Import("demijohn", "path", "path"))
        if not self._moved_routes():
            self.imports["urls"].given.remove(Import("demijohn", "path", "path"))
            self.imports["urls"].add(Import("demijohn.routing", "PathEntry", "PathEntry"))
        for piece in self.pieces["urls"]:
            if piece.part == "routes":
                self.import_module(self._home_of(piece), into="urls")
        self._reach_all()

    def _by_module(self, own: str, name: str, home: str) -> bool:
        """Return whether a list of routes names a view by its module: `views.home`."""
        return name == "urls" and all(
            piece.part == "routes" and (own in piece.statement.binds or own not in piece.uses)
            for piece in self.pieces["urls"]
        )

    def _share(self, statement: Statement, used: dict[str, set[str]]) -> None:
        """Give an import to the modules that use it, and its comments to the first of them."""
        found = self.program.of_import[statement.number]
        comments = comments_of(statement.text)
        is_line = len(statement.text.rstrip("\n").splitlines()) == 1
        lead = "".join(f"{line}\n" for line in statement.lead.splitlines() if line.strip().startswith("#"))
        trail = "  ".join(comments) if is_line else ""
        lead += "" if is_line else "".join(f"{comment}\n" for comment in comments)
        if not found:  # of __future__
            if lead or trail:
                self.program.header += lead + (f"{trail}\n" if trail else "")
            return
        told = False
        homes = [name for name in reversed(self.names) if any(one.bound in used[name] for one in found)]
        if not homes:
            homes = ["app"]
        for name in homes:
            for one in found:
                is_used = one.bound in used[name]
                nobody = name == "app" and not any(one.bound in uses for uses in used.values())
                if is_used or nobody:
                    self.imports[name].add(one, lead="" if told else lead, trail="" if told else trail)
                    told = True

    def _reach_all(self) -> None:
        """See to it that app.py loads every module."""
        reached: set[str] = set()
        waiting = ["app"]
        if self._moved_routes():
            self.import_module("urls", into="app")
        while waiting:
            name = waiting.pop()
            if name in reached:
                continue
            reached.add(name)
            for one in self.imports[name].given:
                if one.module == self.package and one.name in self.names:
                    waiting.append(str(one.name))
                elif one.module.startswith(f"{self.package}."):
                    waiting.append(one.module.rpartition(".")[2])
        self.bottom = ["admin"] if "admin" in self.names and "admin" not in reached else []
        for name in self.names:
            if name not in reached and self.pieces[name] and name not in self.bottom:
                one = Import(self.package, name, f"_{name}", f"_{name}")
                self.imports["app"].add(
                    one, trail=f"# noqa: F401 - {DOCSTRINGS[name][0].lower()}{DOCSTRINGS[name][1:-1]}"
                )

    def _moved_routes(self) -> list[Piece]:
        return [piece for piece in self.pieces["urls"] if piece.part == "routes"]

    def _home_of(self, piece: Piece) -> str:
        return self.placement.module_of(next(iter(piece.statement.binds))) or "views"

    # -- text ---------------------------------------------------------------------------------------------------------

    def _text(self, name: str) -> str:
        imports = self.imports[name]
        early = self._early() if name == "app" else []
        blocks = [self._head(name)]
        mark = "  # noqa: E402" if early else ""
        if early:
            blocks.append(_Block(imports.text(only="others")))
            blocks += early
            blocks.append(_Block(imports.text(only="own", mark=mark)))
        else:
            blocks.append(_Block(imports.text()))
        blocks.append(_Block(imports.typing_text()))
        done = {block.number for block in early}
        blocks += [block for block in self._body(name) if block.number not in done or block.number == -1]
        if name == "app" and self.bottom:
            line = f"from {self.package} import admin as _admin"
            last = _Block(f"{line}  # noqa: E402, F401 - how the administration shows the models\n", lead="\n")
            mains = [place for place, block in enumerate(blocks) if block.text.startswith("if __name__")]
            blocks.insert(mains[0] if mains else len(blocks), last)
        if name == "app" and self.program.tail.strip():
            blocks.append(_Block(self.program.tail.strip() + "\n", lead="\n"))
        return _joined([block for block in blocks if block.text.strip()])

    def _head(self, name: str) -> _Block:
        if name != "app":
            return _Block(f'"""{DOCSTRINGS[name]}"""\n')
        header = self.program.header
        if self.program.docstring is not None:
            return _Block(header + self.program.docstring.text)
        if header.strip():
            return _Block(header.rstrip("\n") + "\n")
        return _Block(f'"""{DOCSTRINGS[name]}"""\n')

    def _early(self) -> list[_Block]:
        """Return the statements that have to run before the modules of the package are loaded."""
        moved = [piece.statement.number for name in self.names if name != "app" for piece in self.pieces[name]]
        found: list[_Block] = []
        own = {name for piece in self.placement.pieces for name in piece.binds}
        for piece in self.pieces["app"]:
            statement = piece.statement
            is_first = not statement.binds and not statement.uses & own and statement.number < max(moved, default=0)
            if is_first and isinstance(statement.node, ast.Expr | ast.Assign | ast.AugAssign):
                found.append(self._block(piece, "app"))
        return found

    def _body(self, name: str) -> list[_Block]:
        blocks: list[_Block] = []
        if name == "urls":
            return self._urls()
        first = min((piece.statement.number for piece in self._moved_routes()), default=None)
        included = first is None
        for piece in self.pieces[name]:
            if name == "app" and not included and first is not None and piece.statement.number > first:
                blocks.append(self._inclusion())
                included = True
            blocks.append(self._block(piece, name))
        if name == "app" and not included:
            blocks.append(self._inclusion())
        return blocks

    def _inclusion(self) -> _Block:
        return _Block(f"{self.placement.app}.add_routes({self.alias('urls')}.{self.list_name}{self.list_end}\n")

    list_end = ")"

    @property
    def list_name(self) -> str:
        """What the list of routes is called."""
        return "paths" if "routes" in self.taken else "routes"

    def _block(self, piece: Piece, name: str) -> _Block:
        statement = piece.statement
        text, lead = statement.text, statement.lead
        if piece.part == "view":
            routes = next(each for each in self.placement.pieces if each.statement is statement and each.routes).routes
            text = text_without(statement, routes)
        elif piece.part == "battery":
            text = self._without_use(statement)
        elif piece.part == "plug":
            lead = "\n" if lead.startswith("\n") else ""
            text = f"{self.placement.app}.use({next(iter(statement.binds))})\n"
        elif piece.part == "routes":  # its options need the app
            text = "".join(
                f"{self.placement.app}.add_route({line}\n" for line in self._entries(piece, prefix="", known=None)
            )
            lead = ""
        text = self._found_from_here(text)
        number = statement.number if piece.part != "plug" else -2
        return _Block(text, lead, number, statement.is_definition and piece.part != "routes")

    def _found_from_here(self, text: str) -> str:
        """Have what lies beside the file be found from the package, one folder below."""
        if "__file__" not in text or any(f'"{name}' in text or f"'{name}" in text for name in self.moved):
            return text
        changed = re.sub(r"\bPath\(__file__\)", "Path(__file__).parent", text)
        changed = re.sub(
            r"\b((?:os\.)?path)\.(dirname|abspath|realpath)\(__file__\)", r"\1.\2(\1.dirname(__file__))", changed
        )
        if changed == text:
            self.notes.append(f"`__file__` is a file of the package now: {text.strip().splitlines()[0]}")
        return changed

    def _without_use(self, statement: Statement) -> str:
        """Return `db = Database(...)` for `db = app.use(Database(...))`."""
        node = statement.node
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, ast.Call):
            return statement.text
        start = self.program.offset(statement.line, 0)
        begin, end = self.program.segment(node.value)
        inner = self.program.segment(node.value.args[0])
        whole = self.program.whole
        return whole[start:begin] + whole[slice(*inner)] + whole[end : start + len(statement.text)]

    def _urls(self) -> list[_Block]:
        others = [self._block(piece, "urls") for piece in self.pieces["urls"] if piece.part != "routes"]
        lines: list[str] = []
        for piece in self._moved_routes():
            home = self.alias(self._home_of(piece))
            for entry in self._entries(piece, prefix="path(", known=home):
                lines += [f"    {line}" if number == 0 else line for number, line in enumerate(entry.split("\n"))]
        if not lines:
            return [*others, _Block(f"{self.list_name}: list[PathEntry] = []\n")]
        text = "\n".join(lines)
        return [*others, _Block(f"{self.list_name} = [\n{text}\n]\n")]

    def _entries(self, piece: Piece, *, prefix: str, known: str | None) -> list[str]:
        """Return the routes of a view as entries of a list, the decorator nearest to it first."""
        whole = self.program.whole
        view = next(iter(piece.statement.binds))
        view = f"{known}.{view}" if known else view
        is_class = isinstance(piece.statement.node, ast.ClassDef)
        found: list[str] = []
        for route in reversed(piece.routes):
            begin = self.program.segment(route.node.func)[1]
            end = self.program.segment(route.node)[1]
            after = self.program.segment(route.node.args[0])[1]
            opening = whole.index("(", begin) + 1
            methods = (
                "" if route.method == "route" or (route.method == "get" and not is_class) else route.method.upper()
            )
            given = f', methods=["{methods}"]' if methods else ""
            inner = f"{whole[opening:after]}, {view}{given}{whole[after:end]}"
            line = self.program.lines[route.last - 1]
            rest = line.encode()[route.node.end_col_offset :].decode().strip()
            closing = "," if known else ""
            found.append(f"{prefix}{inner}{closing}{'  ' if rest else ''}{rest}")
        return found


def _rank(one: Import) -> tuple[int, str, int, str]:
    return (0 if one.name is None else 1, one.module.lower(), 1 if one.given else 0, one.name or "")


def _joined(blocks: list[_Block]) -> str:
    """Return blocks one below the other, with the empty lines that they had or a formatter leaves."""
    text = ""
    before: _Block | None = None
    for block in blocks:
        body = block.text if block.text.endswith("\n") else f"{block.text}\n"
        if before is None:
            text = body
        elif block.number >= 0 and block.number == before.number + 1 and before.number >= 0:
            text += block.lead + body
        else:
            lead = block.lead.lstrip("\n") if block.lead.strip() else ""
            given = len(block.lead) - len(block.lead.lstrip("\n"))
            is_head = before.number == -1
            space = (
                2
                if block.is_definition or before.is_definition
                else max(1, min(given, 2))
                if is_head
                else min(given, 2)
            )
            text += "\n" * space + lead + body
        before = block
    return text
