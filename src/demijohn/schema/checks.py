"""One compiled check per type, for the constraints that msgspec does not hold by itself.

A value that msgspec has read is right in its types. What remains (a `Field` with bounds, a decimal that must be
finite) is one function of straight code, and no function at all where nothing remains.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from demijohn.schema.shapes import (
    MappingShape,
    ObjectShape,
    ScalarShape,
    SequenceShape,
    Shape,
    TupleShape,
    UnionShape,
)

__all__ = ["compile_check"]


def compile_check(shape: Shape) -> Callable[[Any], bool] | None:
    """Return a function that says whether a read value keeps all constraints, or `None` if there are none."""
    if not _needs(shape, set()):
        return None
    compiler = _Compiler()
    name = compiler.function(shape)
    exec(compile("\n".join(compiler.lines), "<demijohn check>", "exec"), compiler.names)  # noqa: S102 - our own source
    check: Callable[[Any], bool] = compiler.names[name]
    return check


def _needs(shape: Shape, seen: set[int]) -> bool:
    if id(shape) in seen:
        return False
    seen.add(id(shape))
    return bool(shape.checked) or any(_needs(part, seen) for part in shape.parts())


class _Compiler:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}
        self.functions: dict[int, str] = {}
        self.shapes: list[Shape] = []  # kept alive, so that no id is used twice
        self.count = 0

    def name(self, prefix: str, value: Any = None) -> str:
        self.count += 1
        name = f"{prefix}{self.count}"
        if value is not None:
            self.names[name] = value
        return name

    def function(self, shape: Shape) -> str:
        """Write the function of a shape once, and return its name (types may contain themselves)."""
        if id(shape) in self.functions:
            return self.functions[id(shape)]
        name = self.functions[id(shape)] = self.name("check")
        self.shapes.append(shape)
        body: list[str] = []
        self.emit(shape, "x", body, 1)
        self.lines += [f"def {name}(x):", *body, "    return True"]
        return name

    def emit(self, shape: Shape, x: str, out: list[str], depth: int) -> None:
        """Write the lines that return False where the value named `x` breaks a constraint."""
        pad = "    " * depth
        for rule in shape.checked:
            constant = self.name("k", rule.constant) if rule.constant is not None else "None"
            out.append(f"{pad}if not ({rule.test_of(x, constant)}): return False")
        if isinstance(shape, ScalarShape) or not any(_needs(part, set()) for part in shape.parts()):
            return
        if isinstance(shape, SequenceShape):
            self.loop(shape.item, x, out, depth)
        elif isinstance(shape, TupleShape):
            for index, part in enumerate(shape.items):
                self.member(part, f"{x}[{index}]", out, depth)
        elif isinstance(shape, MappingShape):
            self.loop(shape.key, x, out, depth)
            self.loop(shape.item, f"{x}.values()", out, depth)
        elif isinstance(shape, UnionShape):
            self.union(shape, x, out, depth)
        elif isinstance(shape, ObjectShape):
            for member, part in shape.members:
                if not _needs(part, set()):
                    continue
                if shape.kind == "typeddict":
                    out.append(f"{pad}if {member.wire!r} in {x}:")
                    self.member(part, f"{x}[{member.wire!r}]", out, depth + 1)
                else:
                    self.member(part, f"{x}.{member.name}", out, depth, unset=not member.required)

    def loop(self, part: Shape, source: str, out: list[str], depth: int) -> None:
        if not _needs(part, set()):
            return
        item = self.name("v")
        out.append(f"{'    ' * depth}for {item} in {source}:")
        self.inside(part, item, out, depth + 1)

    def inside(self, part: Shape, x: str, out: list[str], depth: int) -> None:
        """Write the check of a part: a call for a class, which may contain itself, and lines for all else."""
        if isinstance(part, ObjectShape):
            out.append(f"{'    ' * depth}if not {self.function(part)}({x}): return False")
        else:
            self.emit(part, x, out, depth)

    def member(self, part: Shape, source: str, out: list[str], depth: int, *, unset: bool = False) -> None:
        if not _needs(part, set()):
            return
        pad = "    " * depth
        value = self.name("v")
        out.append(f"{pad}{value} = {source}")
        if unset:
            # A default may be anything, UNSET and None among them; it is the developer's and is not checked.
            self.names["UNCHECKED"] = _UNCHECKED
            out.append(f"{pad}if type({value}) not in UNCHECKED:")
            depth += 1
        self.inside(part, value, out, depth)

    def union(self, shape: UnionShape, x: str, out: list[str], depth: int) -> None:
        pad = "    " * depth
        if len(shape.members) == 1:
            out.append(f"{pad}if {x} is not None:")
            self.inside(shape.members[0], x, out, depth + 1)
            return
        for part in shape.members:
            if not _needs(part, set()):
                continue
            if isinstance(part, ObjectShape) and part.kind != "typeddict":
                out.append(f"{pad}if isinstance({x}, {self.name('c', part.cls)}):")
                out.append(f"{pad}    if not {self.function(part)}({x}): return False")
            else:
                kind = part.scalar.tp if isinstance(part, ScalarShape) and isinstance(part.scalar.tp, type) else None
                test = f"type({x}) is {self.name('c', kind)}" if kind else f"{self.name('t', part.takes)}({x})"
                out.append(f"{pad}if {test}:")
                self.inside(part, x, out, depth + 1)


_UNCHECKED = (type(None), msgspec.UnsetType)
