"""Parts of a representation: the `Range` header (RFC 9110, section 14)."""

import re

__all__ = ["Range"]

_SPEC = re.compile(r"\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII)
_MOST = 10


class Range:
    """The ranges of bytes that a client asks for.

    Example:
        >>> Range.find("bytes=0-4, -2").resolve(10)
        [(0, 5), (8, 10)]
    """

    __slots__ = ("specs",)

    specs: tuple[tuple[int | None, int | None], ...]
    """First and last byte; no first: as many bytes from the end; no last: up to the end."""

    def __init__(self, specs: tuple[tuple[int | None, int | None], ...]) -> None:
        self.specs = specs

    @classmethod
    def find(cls, header: str) -> "Range | None":
        """Read the header; `None` for what is to be ignored.

        That is any unit but bytes, what makes no sense, and more than ten ranges, which no reader needs and
        which would multiply the answer.
        """
        unit, equals, text = header.partition("=")
        if not equals or unit.strip().lower() != "bytes":
            return None
        specs: list[tuple[int | None, int | None]] = []
        parts = text.split(",")
        if len(parts) > _MOST:
            return None
        for part in parts:
            found = _SPEC.fullmatch(part)
            if found is None:
                return None
            first = int(found[1]) if found[1] else None
            last = int(found[2]) if found[2] else None
            if first is None and last is None:
                return None
            if first is not None and last is not None and last < first:
                return None
            specs.append((first, last))
        return cls(tuple(specs))

    def resolve(self, size: int) -> list[tuple[int, int]]:
        """Return start and stop of each range in a representation of `size` bytes.

        Ranges that overlap or touch are joined, in the order in which they were first asked for; those beyond the end
        are left out. An empty list means that there is nothing to send: 416.
        """
        found: list[tuple[int, int]] = []
        for first, last in self.specs:
            if first is None:
                start, stop = max(size - (last or 0), 0), size
            else:
                start, stop = first, size if last is None else min(last + 1, size)
            if start >= stop:
                continue
            for position, (other_start, other_stop) in enumerate(found):
                if start <= other_stop and other_start <= stop:
                    found[position] = (min(start, other_start), max(stop, other_stop))
                    break
            else:
                found.append((start, stop))
        # Joining may have made two earlier ones touch.
        joined: list[tuple[int, int]] = []
        for start, stop in found:
            for position, (other_start, other_stop) in enumerate(joined):
                if start <= other_stop and other_start <= stop:
                    joined[position] = (min(start, other_start), max(stop, other_stop))
                    break
            else:
                joined.append((start, stop))
        return joined if len(joined) == len(found) else Range(tuple((a, b - 1) for a, b in joined)).resolve(size)

    def __repr__(self) -> str:
        specs = ", ".join(f"{'' if a is None else a}-{'' if b is None else b}" for a, b in self.specs)
        return f"Range(bytes={specs})"
