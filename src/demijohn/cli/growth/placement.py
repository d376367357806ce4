"""Which module each statement of a one-file app belongs to, so that no module imports one that imports it."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from demijohn.cli.creating import ProjectError
from demijohn.cli.growth.statements import Program, Statement, names_of

__all__ = ["ORDER", "Piece", "Placement", "RouteGiven", "text_without"]

ORDER = ("settings", "shared", "models", "batteries", "forms", "views", "urls", "app", "admin")
"""The modules; each imports from those before it alone. `admin` is imported at the end of `app`."""

_LEVEL = {name: level for level, name in enumerate(ORDER)}
_SHARED, _URLS, _APP, _ADMIN = (_LEVEL[name] for name in ("shared", "urls", "app", "admin"))
_PATHS = ("demijohn.path", "demijohn.routing.path")
_METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "websocket", "route")


class RouteGiven(NamedTuple):
    """A decorator that says where a view answers."""

    node: ast.Call
    method: str
    first: int
    """Its first line."""
    last: int
    """Its last line."""


@dataclass(slots=True, eq=False)
class Piece:
    """A part of a statement that has a module of its own: all of it, its routes, or what it plugs in."""

    statement: Statement
    part: str = "whole"  # whole | view | routes | battery | plug
    kind: str = ""  # the module that it would like, "" for whatever is used by others
    reason: str = ""  # why it stays in app.py
    uses: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    routes: list[RouteGiven] = field(default_factory=list)
    needs: set["Piece"] = field(default_factory=set)
    level: int = -1

    @property
    def module(self) -> str:
        """The module it was given."""
        return ORDER[self.level]


class Placement:
    """Gives every statement of a program its module.

    Args:
        program: The file.

    Raises:
        ProjectError: It has no app, or more than one (DJN-662).
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.admins: set[str] = set()
        self.blueprints = {
            name
            for name, value in self._assigned()
            if isinstance(value, ast.Call) and program.resolve(value.func) == "demijohn.Blueprint"
        }
        self.twice = self._bound_twice()
        self.classes = {"demijohn.App"}
        self.settings = {
            one.node.name
            for one in program.statements
            if isinstance(one.node, ast.ClassDef) and self._kind_of_class(one.node) == "settings"
        }
        self.app = self._find_app()
        self.views = self._named_as_views()
        self.pieces = [piece for statement in program.statements for piece in self._pieces(statement)]
        self.home: dict[str, Piece] = {}
        self._connect()
        self._place()

    def module_of(self, name: str) -> str | None:
        """Return the module that a name of the file went to."""
        piece = self.home.get(name)
        return None if piece is None else piece.module

    # -- what the file is made of -------------------------------------------------------------------------------------

    def _assigned(self) -> Iterator[tuple[str, ast.expr]]:
        for statement in self.program.statements:
            for node in statement.nodes:
                target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
                value = getattr(node, "value", None)
                if isinstance(target, ast.Name) and isinstance(value, ast.expr):
                    yield target.id, value

    def _find_app(self) -> str:
        classes = self.classes
        for statement in self.program.statements:
            node = statement.node
            if isinstance(node, ast.ClassDef) and any(self.program.resolve(base) in classes for base in node.bases):
                classes.add(node.name)
        made = [
            name
            for name, value in self._assigned()
            if isinstance(value, ast.Call) and self.program.resolve(value.func) in classes
        ]
        if len(set(made)) > 1:
            raise ProjectError(
                f"{self.program.stem}.py has more than one app: {', '.join(sorted(set(made)))}.",
                why="A package is grown around one, and no line says which routes and models belong to which.",
                fix="Move the others to files of their own first.",
                code="DJN-662",
            )
        calls = _calls_in(self.program.tree)
        if not made and not any(self.program.resolve(call.func) in classes for call in calls):
            raise ProjectError(
                f"{self.program.stem}.py makes no app.",
                why="Nothing in it calls `App()`, so there is nothing to grow.",
                fix="Name the file that does:  demijohn grow hello.py",
                code="DJN-662",
            )
        for name, value in self._assigned():
            if isinstance(value, ast.Call) and made and self.program.resolve(value.func) == f"{made[0]}.use":
                inner = value.args[0] if value.args else None
                if self.program.resolve(inner).startswith("demijohn.admin."):
                    self.admins.add(name)
        return made[0] if made else ""

    def _named_as_views(self) -> set[str]:
        """Return the functions that lists of routes name: `path("/", home)`, `app.add_route("/", home)`."""
        wanted = {*_PATHS, f"{self.app}.add_route"}
        return {
            argument.id
            for node in _calls_in(self.program.tree)
            if self.program.resolve(node.func) in wanted
            for argument in node.args[1:2]
            if isinstance(argument, ast.Name)
        }

    # -- pieces -------------------------------------------------------------------------------------------------------

    def _pieces(self, statement: Statement) -> Iterator[Piece]:
        if self.app and len(statement.nodes) == 1:
            routes, why = self._routes_of(statement)
            if routes:
                own = names_of(text_without(statement, routes))[1] & statement.uses
                yield Piece(statement, "view", "views", uses=own, binds=statement.binds)
                named = {one.id for route in routes for one in ast.walk(route.node) if isinstance(one, ast.Name)}
                named = (named & statement.uses) - {self.app} | statement.binds
                yield Piece(statement, "routes", "urls", uses=named, routes=routes)
                return
            if self._is_battery(statement):
                uses = statement.uses - {self.app}
                yield Piece(statement, "battery", "batteries", uses=uses, binds=statement.binds)
                yield Piece(statement, "plug", "app", uses={self.app} | statement.binds)
                return
            if why:
                yield Piece(statement, kind="app", reason=why, uses=set(statement.uses), binds=statement.binds)
                return
        kind, reason = self._kind_of(statement)
        yield Piece(statement, kind=kind, reason=reason, uses=set(statement.uses), binds=statement.binds)

    def _routes_of(self, statement: Statement) -> tuple[list[RouteGiven], str]:
        """Return the routes of a view that may be written as a list, or why they may not."""
        node = statement.node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return [], ""
        declared = [self._is_route(each) for each in node.decorator_list]
        if not any(declared):
            return [], ""
        count = declared.index(False) if False in declared else len(declared)
        if any(declared[count:]):
            return [], "its route stands below another decorator"
        if statement.binds & self.twice:
            return [], "another one has the same name"
        routes: list[RouteGiven] = []
        for each in node.decorator_list[:count]:
            if not isinstance(each, ast.Call) or not isinstance(each.func, ast.Attribute):
                continue
            if len(each.args) != 1 or isinstance(each.args[0], ast.Starred):
                return [], "its pattern does not come first"
            if any(keyword.arg is None for keyword in each.keywords):
                return [], "its options are in a dict"
            between = self.program.whole[self.program.segment(each.args[0])[1] : self.program.segment(each)[1]]
            if between.lstrip()[:1] not in (",", ")") or (between.lstrip()[:1] == ")" and between.strip() != ")"):
                return [], "its pattern stands in brackets"
            routes.append(RouteGiven(each, each.func.attr, each.lineno, each.end_lineno or each.lineno))
        return routes, ""

    def _is_route(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _METHODS
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == self.app
        )

    def _bound_twice(self) -> set[str]:
        seen: set[str] = set()
        twice: set[str] = set()
        for statement in self.program.statements:
            twice |= seen & statement.binds
            seen |= statement.binds
        return twice

    def _is_battery(self, statement: Statement) -> bool:
        """Return whether it is `db = app.use(Database(...))`, and the battery needs no app to be made."""
        node = statement.node
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, ast.Call):
            return False
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        call = node.value
        if len(targets) != 1 or not isinstance(targets[0], ast.Name) or len(call.args) != 1 or call.keywords:
            return False
        if self.program.resolve(call.func) != f"{self.app}.use" or targets[0].id in self.admins:
            return False
        names = {one.id for one in ast.walk(call.args[0]) if isinstance(one, ast.Name)}
        begin, end = self.program.segment(call.args[0])
        outer = self.program.segment(call)
        around = self.program.whole[self.program.segment(call.func)[1] : begin] + self.program.whole[end : outer[1]]
        is_plain = around.replace(" ", "").replace("\n", "") in ("()", "(,)") and not isinstance(
            call.args[0], ast.Starred
        )
        users = [one for one in self.program.statements if one is not statement and statement.binds & one.uses]
        return self.app not in names and is_plain and not statement.binds & self.twice and bool(users)

    def _kind_of(self, statement: Statement) -> tuple[str, str]:
        node = statement.node
        names = _outer_names(statement)
        if isinstance(node, ast.If) and "__name__" in ast.dump(node.test):
            return "app", ""
        decorators: list[ast.expr] = getattr(node, "decorator_list", [])
        if isinstance(node, ast.ClassDef):
            kind = self._kind_of_class(node)
            if kind == "admin" or any(self._owner(each) in self.admins for each in decorators):
                return "admin", ""
            if kind:
                return kind, ""
        if isinstance(node, ast.Expr) and self._owner(node.value) in self.admins:
            return "admin", ""
        if any(self._owner(each) in self.blueprints for each in decorators) or statement.binds & self.blueprints:
            return "views", ""
        if self.app and self.app in statement.binds | names:
            return "app", ""
        if any(self.program.resolve(one.func) in self.classes for one in _calls_in(node)):
            return "app", ""  # a factory
        if any(self._owner(each) in self.admins for each in decorators):
            return "admin", ""
        if statement.binds & self.views:
            return "views", ""
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            if any(self.program.resolve(one) in _PATHS for one in _calls_in(node.value)):
                return "urls", ""
            if isinstance(node.value, ast.Call) and self._owner(node.value) in self.settings:
                return "settings", ""
        if not statement.binds and not any(name in statement.uses for name in self._own_names()):
            return "app", ""  # it concerns others: logging, the environment
        return "", ""

    def _kind_of_class(self, node: ast.ClassDef) -> str:
        for base in node.bases:
            path = self.program.resolve(base)
            if path.startswith("demijohn.admin."):
                return "admin"
            if path.startswith("demijohn.forms."):
                return "views" if "View" in path else "forms"
            if path.startswith(("demijohn.db.", "demijohn.auth.", "sqlalchemy.")):
                return "models"
            if path in ("demijohn.Settings", "demijohn.app.Settings"):
                return "settings"
            if path in ("demijohn.View", "demijohn.app.View"):
                return "views"
            for statement in self.program.statements:
                other = statement.node
                if isinstance(other, ast.ClassDef) and other.name == path and other is not node:
                    return self._kind_of_class(other)
        return ""

    def _owner(self, node: ast.expr) -> str:
        """Return the name that `admin.register(Post)` or `@admin.action` begins with."""
        while isinstance(node, ast.Call | ast.Attribute):
            node = node.func if isinstance(node, ast.Call) else node.value
        return node.id if isinstance(node, ast.Name) else ""

    def _own_names(self) -> set[str]:
        return {name for statement in self.program.statements for name in statement.binds}

    # -- who needs whom -----------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        for piece in self.pieces:
            for name in piece.binds:
                self.home.setdefault(name, piece)
        for piece in self.pieces:
            piece.needs = {self.home[name] for name in piece.uses if name in self.home} - {piece}
        for first, second in self._ties():
            if first is not second:
                first.needs.add(second)
                second.needs.add(first)

    def _ties(self) -> Iterator[tuple[Piece, Piece]]:
        """Yield pieces that have to stand in one module: what binds a name anew, and everybody who reads it."""
        binders: dict[str, list[Piece]] = defaultdict(list)
        rebound: set[str] = set()
        for piece in self.pieces:
            for name in piece.binds:
                binders[name].append(piece)
            rebound |= piece.statement.globals
        rebound |= {name for name, several in binders.items() if len(several) > 1}
        for name in rebound:
            first = binders[name][0] if name in binders else None
            for piece in self.pieces:
                if first is not None and (name in piece.uses or name in piece.binds) and piece.part != "routes":
                    yield first, piece
        for piece in self.pieces:
            decorators: list[ast.expr] = getattr(piece.statement.node, "decorator_list", [])
            owners = {self._owner(each) for each in decorators} & self.blueprints
            for name in owners:
                yield self.home[name], piece
            for name in self._changed_by(piece):
                yield self.home[name], piece

    def _changed_by(self, piece: Piece) -> set[str]:
        """Return the names whose values a statement may change when the file is loaded."""
        node = piece.statement.node
        if piece.part != "whole" or piece.statement.is_definition or piece.kind == "app":
            return set()
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if all(isinstance(one, ast.Name | ast.Tuple) for one in targets):
                return set()
            return {self._owner(_base(one)) for one in targets} & self.home.keys()
        variables = {name for name in piece.uses & self.home.keys() if not self.home[name].statement.is_definition}
        return variables - {self.app, *self.admins}

    # -- modules ------------------------------------------------------------------------------------------------------

    def _place(self) -> None:
        groups = _groups(self.pieces)  # what others need comes first
        of_piece = {piece: group for group in groups for piece in group}
        users: dict[int, set[Piece]] = defaultdict(set)
        for piece in self.pieces:
            for needed in piece.needs:
                users[id(of_piece[needed])].add(piece)
        for group in groups:
            self._raise(group, {piece for piece in users[id(group)] if piece not in group})
        self._join()
        for group in reversed(groups):
            if group[0].level == -1:
                level = self._level_of(group, {piece for piece in users[id(group)] if piece not in group})
                for piece in group:
                    piece.level = level

    def _raise(self, group: list[Piece], users: set[Piece]) -> None:
        """Keep in app.py what belongs there, and what needs it."""
        kinds = {piece.kind for piece in group}
        held = [
            (piece, needed)
            for piece in group
            for needed in sorted(piece.needs, key=lambda one: one.statement.number)
            if needed not in group and needed.level >= _APP
        ]
        if kinds == {"admin"} and all(user.kind == "admin" for user in users):
            for piece in group:
                piece.level = _ADMIN
        elif "app" in kinds or held:
            for piece in group:
                piece.level = _APP
            for piece, needed in held:
                names = sorted(piece.uses & needed.binds)
                if piece.kind not in ("app", "batteries"):
                    piece.reason = piece.reason or f"it uses {' and '.join(f'`{name}`' for name in names)}"
            for piece in group:
                if piece.kind not in ("app", "") and not piece.reason:
                    other = next(one for one in group if one.reason or one.kind == "app")
                    piece.reason = f"it goes together with {other.statement.label}"

    def _level_of(self, group: list[Piece], users: set[Piece]) -> int:
        levels = {user.level for user in users}
        wishes = {_LEVEL[piece.kind] for piece in group if piece.kind}
        if wishes == {_LEVEL["settings"]} and min(levels, default=_APP) >= _APP:
            return _APP
        if wishes:
            return min(wishes | levels)
        if not levels:
            return _APP
        if levels == {_ADMIN}:
            return _ADMIN
        several = {level for level in levels if level < _URLS}
        if len(several) > 1 and self._highest(group) <= _SHARED:
            return _SHARED
        return min(levels | {_APP})

    def _highest(self, group: Iterable[Piece]) -> int:
        """Return the highest module that something would like that these need."""
        seen: set[Piece] = set()
        waiting = list(group)
        highest = -1
        while waiting:
            piece = waiting.pop()
            if piece in seen:
                continue
            seen.add(piece)
            if piece.kind:
                highest = max(highest, _LEVEL[piece.kind])
            waiting += piece.needs
        return highest

    def _join(self) -> None:
        """Leave whole what is better whole: a battery that only app.py uses, a view that has to stay there."""
        of_statement: dict[int, list[Piece]] = defaultdict(list)
        for piece in self.pieces:
            of_statement[piece.statement.number].append(piece)
        for number in sorted(of_statement, reverse=True):
            if len(of_statement[number]) == 1:
                continue
            first, second = of_statement[number]
            users = [piece for piece in self.pieces if first in piece.needs and piece is not second]
            is_free = all(user.level >= _APP for user in users)
            stays = first.level == _APP or (second.part == "routes" and second.level == _APP and is_free)
            if stays or (first.part == "battery" and is_free):
                first.part, first.level = "whole", _APP
                first.uses = first.uses | second.uses | {self.app}
                first.reason = first.reason or second.reason
                self.pieces.remove(second)


def _calls_in(node: ast.AST) -> list[ast.Call]:
    return [one for one in ast.walk(node) if isinstance(one, ast.Call)]


def _base(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node


def _outer_names(statement: Statement) -> set[str]:
    """Return the names that a statement reads when it is loaded: in decorators, not in the functions it defines."""
    found: set[str] = set()

    def walk(node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inner = [*getattr(node, "decorator_list", []), *node.args.defaults, *node.args.kw_defaults]
            for one in filter(None, inner):
                walk(one)
            return
        if isinstance(node, ast.Name):
            found.add(node.id)
        for child in ast.iter_child_nodes(node):
            walk(child)

    for node in statement.nodes:
        walk(node)
    return found


def text_without(statement: Statement, routes: list[RouteGiven]) -> str:
    """Return a statement without the decorators that say where it answers."""
    gone = {line for route in routes for line in range(route.first, route.last + 1)}
    lines = statement.text.splitlines(keepends=True)
    return "".join(line for number, line in enumerate(lines, statement.line) if number not in gone)


def _groups(pieces: list[Piece]) -> list[list[Piece]]:
    """Return the pieces in groups that need each other, what is needed before who needs it (Tarjan)."""
    index: dict[Piece, int] = {}
    lowest: dict[Piece, int] = {}
    stack: list[Piece] = []
    found: list[list[Piece]] = []

    def visit(start: Piece) -> None:
        work = [(start, iter(sorted(start.needs, key=lambda one: one.statement.number)))]
        index[start] = lowest[start] = len(index)
        stack.append(start)
        while work:
            piece, needed = work[-1]
            for one in needed:
                if one not in index:
                    index[one] = lowest[one] = len(index)
                    stack.append(one)
                    work.append((one, iter(sorted(one.needs, key=lambda each: each.statement.number))))
                    break
                if one in stack:
                    lowest[piece] = min(lowest[piece], index[one])
            else:
                work.pop()
                if work:
                    lowest[work[-1][0]] = min(lowest[work[-1][0]], lowest[piece])
                if lowest[piece] == index[piece]:
                    group: list[Piece] = []
                    while True:
                        one = stack.pop()
                        group.append(one)
                        if one is piece:
                            break
                    found.append(sorted(group, key=lambda each: each.statement.number))

    for piece in pieces:
        if piece not in index:
            visit(piece)
    return found
