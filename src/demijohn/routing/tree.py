"""The tree of segments: one node per segment of the patterns, the specific before the general."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from demijohn.routing.converters import Converter, StrConverter
from demijohn.routing.pattern import Segment
from demijohn.routing.route import Entry

__all__ = ["Node", "Shaped", "Tree", "walk"]

LeafT = TypeVar("LeafT")

_STR, _CONVERT, _SHAPED, _SPAN, _TAIL = range(5)
_LONGEST_SHAPED = 255

Edge: TypeAlias = "tuple[int, Any, Node[LeafT]]"
"""How a segment is taken, by what, and where that leads (Any: the function's shape depends on the kind)."""


class Node(Generic[LeafT]):
    """Where a path stands after some of its segments."""

    __slots__ = ("_pending", "edges", "leaf", "literals", "only", "prefix_lengths", "prefixed")

    def __init__(self) -> None:
        self.literals: dict[str, Node[LeafT]] = {}
        self.edges: tuple[Edge[LeafT], ...] = ()
        self.only: Edge[LeafT] | None = None
        self.prefixed: dict[str, tuple[Edge[LeafT], ...]] | None = None
        self.prefix_lengths: tuple[int, ...] = ()
        self.leaf: LeafT | None = None
        self._pending: dict[Hashable, tuple[tuple[int, ...], str, int, Any, Node[LeafT]]] = {}

    def grow(self, segment: Segment, converters: Mapping[str, Converter[Any]]) -> Node[LeafT]:
        """Return the node below for a segment, made where it was not there."""
        if all(isinstance(part, str) for part in segment):
            text = "".join(str(part) for part in segment)
            return self.literals.setdefault(text, Node())
        key, rank, prefix, kind, take = _shape(segment, converters)
        pending = self._pending.get(key)
        if pending is None:
            child: Node[LeafT] = Node()
            self._pending[key] = (rank, prefix, kind, take, child)
            return child
        return pending[4]

    def freeze(self) -> None:
        """Sort the edges, the specific before the general, here and below."""
        ordered = sorted(self._pending.values(), key=lambda pending: pending[0])
        plain: list[Edge[LeafT]] = []
        prefixed: dict[str, list[Edge[LeafT]]] = {}
        for _, prefix, kind, take, child in ordered:
            child.freeze()
            if kind == _SPAN:
                plain.append((kind if child.literals or child._pending else _TAIL, take, child))
            elif prefix:
                prefixed.setdefault(prefix, []).append((kind, take, child))
            else:
                plain.append((kind, take, child))
        self.edges = tuple(plain)
        self.only = plain[0] if len(plain) == 1 and not prefixed else None
        if prefixed:
            self.prefixed = {prefix: tuple(edges) for prefix, edges in prefixed.items()}
            self.prefix_lengths = tuple(sorted({len(prefix) for prefix in prefixed}, reverse=True))
        for child in self.literals.values():
            child.freeze()

    def edges_for(self, segment: str) -> Sequence[Edge[LeafT]]:
        """Return the edges that may take the segment: those with a literal in front by look-up, longest first."""
        prefixed = self.prefixed
        if prefixed is None:
            return self.edges
        edges: list[Edge[LeafT]] = []
        for length in self.prefix_lengths:
            edges += prefixed.get(segment[:length], ())
        edges += self.edges
        return edges


def _shape(
    segment: Segment, converters: Mapping[str, Converter[Any]]
) -> tuple[Hashable, tuple[int, ...], str, int, Any]:
    """Return of a segment with parameters: its key, its rank among others, its literal prefix, and how it is taken."""
    used = [converters[part.name] for part in segment if not isinstance(part, str)]
    key = tuple(part if isinstance(part, str) else (converters[part.name].key,) for part in segment)
    literals = [part for part in segment if isinstance(part, str)]
    prefix = segment[0] if isinstance(segment[0], str) else ""
    spans = any(converter.spans_segments for converter in used)
    # Longer literals first, then the narrower converter, then the order of declaration (sorting is stable).
    rank = (int(spans), -sum(map(len, literals)), min(converter.weight for converter in used))
    if spans:
        suffix = segment[-1] if len(segment) > 1 and isinstance(segment[-1], str) else ""
        return key, rank, prefix, _SPAN, (prefix, suffix, used[0].matcher())
    if len(segment) == 1:
        only = used[0]
        if isinstance(only, StrConverter) and only.takes_all:
            return key, rank, prefix, _STR, None
        return key, rank, prefix, _CONVERT, only.matcher()
    return key, rank, prefix, _SHAPED, Shaped(segment, converters).match


class Shaped:
    """Takes a segment that mixes literals and parameters: `{name}.{extension}`, `@{user}`.

    As a greedy regular expression would, without its appetite: a parameter ends at the last place where the literal
    after it stands and the rest fits, and no place is tried twice, so the work is at most the square of the length;
    with three parameters and more, a segment of over 255 characters never matches, so that the square stays small.
    """

    __slots__ = ("convert", "literals", "prefix", "suffix")

    def __init__(self, segment: Segment, converters: Mapping[str, Converter[Any]]) -> None:
        self.prefix = segment[0] if isinstance(segment[0], str) else ""
        self.suffix = segment[-1] if isinstance(segment[-1], str) else ""
        inner = segment[1 if self.prefix else 0 : len(segment) - (1 if self.suffix else 0)]
        self.convert: list[Callable[[str], Any]] = []
        self.literals: list[str] = []
        for part in inner:
            if isinstance(part, str):
                self.literals.append(part)
            else:
                self.convert.append(converters[part.name].matcher())

    def match(self, text: str) -> list[Any] | None:
        """Return the values, or None."""
        start, end = len(self.prefix), len(text) - len(self.suffix)
        if len(text) > _LONGEST_SHAPED and len(self.convert) > 2:
            return None
        if start >= end or not text.startswith(self.prefix) or not text.endswith(self.suffix):
            return None
        return self._rest(text[:end], start, 0, set())

    def _rest(self, text: str, start: int, index: int, failed: set[tuple[int, int]]) -> list[Any] | None:
        if (start, index) in failed or start >= len(text):
            return None
        convert = self.convert[index]
        if index == len(self.literals):
            try:
                return [convert(text[start:])]
            except ValueError:
                return None
        literal = self.literals[index]
        position = text.rfind(literal, start + 1)
        while position != -1:
            try:
                value = convert(text[start:position])
            except ValueError:
                pass
            else:
                rest = self._rest(text, position + len(literal), index + 1, failed)
                if rest is not None:
                    return [value, *rest]
            position = text.rfind(literal, start + 1, position + len(literal) - 1)
        failed.add((start, index))
        return None


class Tree(Generic[LeafT]):
    """Finds the leaf of a list of segments, with the values on the way."""

    __slots__ = ("root",)

    def __init__(self) -> None:
        self.root: Node[LeafT] = Node()

    def grow(self, segments: Sequence[Segment], converters: Mapping[str, Converter[Any]]) -> Node[LeafT]:
        """Return the node at the end of the segments, made where it was not there."""
        node = self.root
        for segment in segments:
            node = node.grow(segment, converters)
        return node

    def all_leaves(self) -> list[LeafT]:
        """Return every leaf of the tree; before `freeze`."""
        found: list[LeafT] = []
        nodes = [self.root]
        while nodes:
            node = nodes.pop()
            if node.leaf is not None:
                found.append(node.leaf)
            nodes += node.literals.values()
            nodes += [pending[4] for pending in node._pending.values()]
        return found

    def leaves(self, segments: Sequence[str]) -> Iterator[tuple[LeafT, list[Any]]]:
        """Yield every leaf that the segments lead to with its values, the specific before the general."""
        yield from _leaves(self.root, segments, 0, [])


def _leaves(
    node: Node[LeafT], segments: Sequence[str], index: int, values: list[Any]
) -> Iterator[tuple[LeafT, list[Any]]]:
    if index == len(segments):
        if node.leaf is not None:
            yield node.leaf, values
        return
    segment = segments[index]
    child = node.literals.get(segment)
    if child is not None:
        yield from _leaves(child, segments, index + 1, values)
    if not segment:
        return
    for kind, take, child in node.edges_for(segment):
        if kind >= _SPAN:
            for end, value in _spans(kind, take, segments, index):
                yield from _leaves(child, segments, end, [*values, value])
        else:
            taken = _take(kind, take, segment)
            if taken is not None:
                yield from _leaves(child, segments, index + 1, values + taken)


def _take(kind: int, take: Any, segment: str) -> list[Any] | None:
    if kind == _STR:
        return [segment]
    if kind == _SHAPED:
        taken: list[Any] | None = take(segment)
        return taken
    try:
        return [take(segment)]
    except ValueError:
        return None


def _spans(kind: int, take: Any, segments: Sequence[str], index: int) -> Iterator[tuple[int, Any]]:
    """Yield where a parameter that spans segments may end, the longest first, with its value there."""
    prefix, suffix, convert = take
    if not segments[index].startswith(prefix):
        return
    text = "/".join(segments[index:])
    last = len(segments)
    for end in range(last, last - 1 if kind == _TAIL else index, -1):
        if text.endswith(suffix) and len(text) > len(prefix) + len(suffix):
            value = text[len(prefix) : len(text) - len(suffix)]
            if value[0] != "/":
                try:
                    yield end, convert(value)
                except ValueError:
                    pass
        text = text[: len(text) - len(segments[end - 1]) - 1]


def walk(
    node: Node[dict[str, Entry]], segments: Sequence[str], index: int, method: str, values: list[Any]
) -> Entry | None:
    """Return the entry of the first leaf that has the method, and fill `values`.

    The same order as `Tree.leaves`, written out flat: this is what every request with a parameter runs.
    """
    count = len(segments)
    while index < count:
        segment = segments[index]
        index += 1
        child = node.literals.get(segment)
        if child is not None:
            if not node.edges and node.prefixed is None:
                node = child
                continue
            mark = len(values)
            found = walk(child, segments, index, method, values)
            if found is not None:
                return found
            del values[mark:]
        if not segment:
            return None
        only = node.only
        if only is not None and only[0] < _SPAN:
            kind, take, node = only
            if kind == _STR:
                values.append(segment)
            elif kind == _CONVERT:
                try:
                    values.append(take(segment))
                except ValueError:
                    return None
            else:
                taken = take(segment)
                if taken is None:
                    return None
                values += taken
            continue
        mark = len(values)
        for kind, take, child in node.edges_for(segment):
            if kind >= _SPAN:
                for end, value in _spans(kind, take, segments, index - 1):
                    values.append(value)
                    found = walk(child, segments, end, method, values)
                    if found is not None:
                        return found
                    del values[mark:]
                continue
            taken = _take(kind, take, segment)
            if taken is not None:
                values += taken
                found = walk(child, segments, index, method, values)
                if found is not None:
                    return found
                del values[mark:]
        return None
    leaf = node.leaf
    if leaf is None:
        return None
    return leaf.get(method) or leaf.get("*")
