"""The tree of segments: one node per segment of the patterns, the specific before the general."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from demijohn._lib.sentinels import MISSING, Missing
from demijohn.routing.converters import Converter, IntConverter, PathConverter, StrConverter
from demijohn.routing.pattern import Segment
from demijohn.routing.route import Entry

__all__ = ["Node", "Tree", "shaped", "walk"]

LeafT = TypeVar("LeafT")

_STR, _INT, _CONVERT, _SHAPED, _REST, _SPAN, _TAIL = range(7)
_LONGEST_SHAPED = 255

Edge: TypeAlias = "tuple[int, Any, Node[LeafT]]"
"""How a segment is taken, by what, and where that leads (Any: the function's shape depends on the kind)."""


class Node(Generic[LeafT]):
    """Where a path stands after some of its segments."""

    __slots__ = ("_pending", "edges", "leaf", "literals", "only", "prefix_lengths", "prefixed")

    def __init__(self) -> None:
        self.literals: dict[str, Node[LeafT]] = {}
        self.edges: tuple[Edge[LeafT], ...] = ()
        self.only: Edge[LeafT] | None = None  # the edge, where it is one of the two commonest kinds and alone
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
                ends_here = not child.literals and not child._pending
                bare = not take[0] and not take[1] and take[3]
                plain.append(((_REST if bare else _TAIL) if ends_here else _SPAN, take, child))
            elif prefix:
                prefixed.setdefault(prefix, []).append((kind, take, child))
            else:
                plain.append((kind, take, child))
        self.edges = tuple(plain)
        self.only = plain[0] if len(plain) == 1 and not prefixed and plain[0][0] <= _INT else None
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
    only = used[0]
    if spans:
        suffix = segment[-1] if len(segment) > 1 and isinstance(segment[-1], str) else ""
        return key, rank, prefix, _SPAN, (prefix, suffix, only.matcher(), type(only) is PathConverter)
    if len(segment) == 1:
        if isinstance(only, StrConverter) and only.takes_all:
            return key, rank, prefix, _STR, None
        if isinstance(only, IntConverter) and only.takes_all:
            return key, rank, prefix, _INT, None
        return key, rank, prefix, _CONVERT, only.matcher()
    return key, rank, prefix, _SHAPED, shaped(segment, converters)


def shaped(segment: Segment, converters: Mapping[str, Converter[Any]]) -> Callable[[str], list[Any] | None]:
    """Return what takes a segment that mixes literals and parameters: `{name}.{extension}`, `@{user}`.

    As a greedy regular expression would, without its appetite: a parameter ends at the last place where the literal
    after it stands and the rest fits, and no place is tried twice, so the work is at most the square of the length;
    with three parameters and more, a segment of over 255 characters never matches, so that the square stays small.
    """
    prefix = segment[0] if isinstance(segment[0], str) else ""
    suffix = segment[-1] if isinstance(segment[-1], str) else ""
    inner = segment[1 if prefix else 0 : len(segment) - (1 if suffix else 0)]
    literals = [part for part in inner if isinstance(part, str)]
    used = [converters[part.name] for part in inner if not isinstance(part, str)]
    take = [converter.matcher() for converter in used]
    free = [isinstance(converter, StrConverter) and converter.takes_all for converter in used]
    skipped, cut = len(prefix), len(suffix)
    if len(take) == 2:
        rest = _two_free(literals[0]) if all(free) else _two(take, literals[0])
    else:
        rest = _one(take[0]) if len(take) == 1 else _many(take, literals, free)

    def match(text: str) -> list[Any] | None:
        if not text.startswith(prefix) or not text.endswith(suffix) or skipped + cut >= len(text):
            return None
        return rest(text[skipped : len(text) - cut])

    return match


def _one(take: Callable[[str], Any]) -> Callable[[str], list[Any] | None]:
    def match(text: str) -> list[Any] | None:
        value = take(text)
        return None if value is MISSING else [value]

    return match


def _two_free(literal: str) -> Callable[[str], list[Any] | None]:
    width = len(literal)

    def match(text: str) -> list[Any] | None:
        position = text.rfind(literal, 1, len(text) - 1)  # what comes after the literal is not empty
        return None if position == -1 else [text[:position], text[position + width :]]

    return match


def _two(take: Sequence[Callable[[str], Any]], literal: str) -> Callable[[str], list[Any] | None]:
    first, second = take
    width = len(literal)

    def match(text: str) -> list[Any] | None:
        end = len(text) - 1  # what comes after the literal is not empty
        position = text.rfind(literal, 1, end)
        while position != -1:
            left = first(text[:position])
            if left is not MISSING:
                right = second(text[position + width :])
                if right is not MISSING:
                    return [left, right]
            position = text.rfind(literal, 1, position + width - 1)
        return None

    return match


def _many(
    take: Sequence[Callable[[str], Any]], literals: Sequence[str], free: Sequence[bool]
) -> Callable[[str], list[Any] | None]:
    last = len(literals)

    def match(text: str) -> list[Any] | None:
        if len(text) > _LONGEST_SHAPED:
            return None
        return rest(text, 0, 0, [len(text)] * last, set())

    def rest(text: str, start: int, index: int, tried: list[int], failed: set[tuple[int, int]]) -> list[Any] | None:
        if (start, index) in failed or start >= len(text):
            return None
        if index == last:
            value = take[index](text[start:])
            if value is not MISSING:
                return [value]
        else:
            # Whoever comes back failed before. If this parameter takes any text, its start makes no difference to what
            # comes after it, and only the ends that were not tried yet are left.
            literal = literals[index]
            width = len(literal)
            position = text.rfind(literal, start + 1, tried[index] + width - 1)
            while position != -1:
                value = take[index](text[start:position])
                if value is not MISSING:
                    others = rest(text, position + width, index + 1, tried, failed)
                    if others is not None:
                        return [value, *others]
                position = text.rfind(literal, start + 1, position + width - 1)
            if free[index]:
                tried[index] = min(tried[index], start + 1)
        failed.add((start, index))
        return None

    return match


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

    def lasts(self) -> dict[str, tuple[bool, LeafT]]:
        """Return by the literals before it where one parameter ends a path, and whether it is an integer; frozen.

        It is the only one that its node has, so that nothing else comes before it: what `walk` would find too.
        """
        found: dict[str, tuple[bool, LeafT]] = {}
        nodes = [("", self.root)]
        while nodes:
            head, node = nodes.pop()
            if node.only is not None and node.only[2].leaf is not None:
                found[head] = (node.only[0] == _INT, node.only[2].leaf)
            nodes += [(f"{head}/{text}", child) for text, child in node.literals.items()]
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
        if kind >= _REST:
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
    value = _int(segment) if kind == _INT else take(segment)
    return None if value is MISSING else [value]


def _int(text: str) -> int | Missing:
    if text.isascii() and (text.isdecimal() or (text[0] == "-" and text[1:].isdecimal())):
        try:
            return int(text)
        except ValueError:  # over 4,300 digits
            pass
    return MISSING


def _spans(kind: int, take: Any, segments: Sequence[str], index: int) -> Iterator[tuple[int, Any]]:
    """Yield where a parameter that spans segments may end, with its value there.

    The whole rest comes last, because a pattern that goes on is more specific; otherwise the longest is first.
    """
    prefix, suffix, convert, _ = take
    if not segments[index].startswith(prefix):
        return
    last = len(segments)
    whole = text = "/".join(segments[index:])
    ends = [*range(last - 1, index, -1), last] if kind == _SPAN else [last]
    for end in ends:
        text = whole if end == last else text[: len(text) - len(segments[end]) - 1]
        if text.endswith(suffix) and len(text) > len(prefix) + len(suffix):
            taken = text[len(prefix) : len(text) - len(suffix)]
            if taken[0] != "/":
                value = convert(taken)
                if value is not MISSING:
                    yield end, value


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
        if only is not None:
            kind, take, node = only
            if kind == _STR:
                values.append(segment)
            else:
                value = (
                    int(segment) if len(segment) < 19 and segment.isdecimal() and segment.isascii() else _int(segment)
                )
                if value is MISSING:
                    return None
                values.append(value)
            continue
        edges = node.edges if node.prefixed is None else node.edges_for(segment)
        left = len(edges)
        if not left:
            return None
        mark = len(values)
        for kind, take, child in edges:
            left -= 1
            if kind == _STR:
                values.append(segment)
            elif kind == _INT:
                value = (
                    int(segment) if len(segment) < 19 and segment.isdecimal() and segment.isascii() else _int(segment)
                )
                if value is MISSING:
                    continue
                values.append(value)
            elif kind == _CONVERT:
                value = take(segment)
                if value is MISSING:
                    continue
                values.append(value)
            elif kind == _SHAPED:
                taken = take(segment)
                if taken is None:
                    continue
                values += taken
            elif kind == _REST:
                values.append("/".join(segments[index - 1 :]))
                found = None if child.leaf is None else child.leaf.get(method) or child.leaf.get("*")
                if found:
                    return found
                del values[mark:]
                continue
            else:
                for end, value in _spans(kind, take, segments, index - 1):
                    values.append(value)
                    found = walk(child, segments, end, method, values)
                    if found is not None:
                        return found
                    del values[mark:]
                continue
            if not left:
                # Nothing to come back to: go on in this frame.
                node = child
                break
            found = walk(child, segments, index, method, values)
            if found is not None:
                return found
            del values[mark:]
        else:
            return None
    leaf = node.leaf
    if leaf is None:
        return None
    return leaf.get(method) or leaf.get("*")
