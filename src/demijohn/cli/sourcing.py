"""Adding to Python files: an import where it belongs, a class at the end, a line behind another."""

import ast
import re
from pathlib import Path

__all__ = ["Source", "import_line"]


class Source:
    """A Python file that is added to.

    Args:
        path: The file; it is made where there is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8") if path.is_file() else ""

    def defines(self, name: str) -> bool:
        """Return whether a class or function of that name stands in it."""
        return any(
            isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
            for node in ast.parse(self.text).body
        )

    def add_import(self, module: str, *names: str, first_party: str = "") -> None:
        """Import names from a module, sorted in among what is imported.

        Args:
            module: The module.
            names: What is imported.
            first_party: The package of the project, whose imports stand in a block of their own at the end.
        """
        tree = ast.parse(self.text)
        lines = self.text.splitlines()
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in imports:
            if isinstance(node, ast.ImportFrom) and node.module == module and not node.level:
                if any(alias.asname for alias in node.names):
                    continue
                known = {alias.name for alias in node.names}
                line = import_line(module, known | set(names))
                behind = lines[(node.end_lineno or node.lineno) - 1][node.end_col_offset or 0 :].rstrip()
                first, *rest = line.split("\n")
                line = "\n".join([first + behind, *rest])  # what it tells the linter holds for the new names too
                self._replace(lines, node.lineno - 1, node.end_lineno or node.lineno, line)
                return
        line = import_line(module, set(names))
        group = _group(module, first_party)
        before = [node for node in imports if _place(node, first_party) <= (group, module)]
        after = [node for node in imports if _place(node, first_party) > (group, module)]
        if before:
            last = before[-1]
            gap = [] if _place(last, first_party)[0] == group else [""]
            end = last.end_lineno or last.lineno
            lines[end:end] = [*gap, line]
        elif after:
            gap = [] if _place(after[0], first_party)[0] == group else [""]
            lines[after[0].lineno - 1 : after[0].lineno - 1] = [line, *gap]
        else:
            start = tree.body[0].end_lineno or 0 if tree.body and _is_docstring(tree.body[0]) else 0
            lines[start:start] = [*([""] if start else []), line]
        self.text = "\n".join(lines) + "\n"

    def append(self, block: str) -> None:
        """Add a block at the end, two empty lines before it."""
        self.text = f"{self.text.rstrip()}\n\n\n{block.strip()}\n" if self.text.strip() else f"{block.strip()}\n"

    def insert_after(self, starts: tuple[str, ...], line: str) -> bool:
        """Add a line behind the last one that begins in one of these ways; return whether there is one."""
        lines = self.text.splitlines()
        places = [number for number, known in enumerate(lines) if known.startswith(starts)]
        if not places:
            return False
        lines.insert(places[-1] + 1, line)
        self.text = "\n".join(lines) + "\n"
        return True

    def insert_behind(self, name: str, line: str) -> None:
        """Add a line behind the statement at the top that binds a name."""
        nodes = [
            node
            for node in ast.parse(self.text).body
            if isinstance(node, ast.Assign)
            and any(isinstance(one, ast.Name) and one.id == name for one in node.targets)
        ]
        lines = self.text.splitlines()
        end = nodes[0].end_lineno if nodes else len(lines)
        lines.insert(end or len(lines), line)
        self.text = "\n".join(lines) + "\n"

    def add_alias(self, module: str, name: str, given: str, *, first_party: str = "") -> None:
        """Import a name by another one, in a line of its own."""
        line = f"from {module} import {name} as {given}"
        self.add_import(module, name, first_party=first_party)
        written = import_line(module, {name})
        self.text = re.sub(rf"(?m)^{re.escape(written)}$", line, self.text, count=1)

    def write(self) -> None:
        """Write the file, which has to be good Python."""
        ast.parse(self.text)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(self.text, encoding="utf-8")

    def _replace(self, lines: list[str], start: int, end: int, line: str) -> None:
        lines[start:end] = [line]
        self.text = "\n".join(lines) + "\n"


def import_line(module: str, names: set[str]) -> str:
    line = f"from {module} import {', '.join(sorted(names, key=_rank))}"
    if len(line) <= 100:
        return line
    inner = "".join(f"    {name},\n" for name in sorted(names, key=_rank))
    return f"from {module} import (\n{inner})"


def _rank(name: str) -> tuple[int, str]:
    # As isort and ruff do: constants, classes, everything else.
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name


def _group(module: str, first_party: str) -> int:
    import sys

    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return 0
    return 2 if first_party and top == first_party else 1


def _place(node: ast.Import | ast.ImportFrom, first_party: str) -> tuple[int, str]:
    module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
    return _group(module, first_party), module


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
