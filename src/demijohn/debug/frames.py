"""The frames of a traceback: where they stand, their source with the exact columns, and their variables."""

import linecache
import re
import sys
from collections.abc import Iterator
from itertools import islice
from types import CodeType, FrameType, TracebackType
from typing import Final

import msgspec

from demijohn._lib.source import relative
from demijohn._lib.tracebacks import LIBRARIES, OWN, PACKAGES, is_library
from demijohn.debug.redaction import HIDDEN, is_secret, shown

__all__ = ["Frame", "Line", "Local", "is_library", "lines_around", "read_frames", "walk"]

_MOST: Final = 100
_CONTEXT: Final = 6
_MOST_LOCALS: Final = 50


class Line(msgspec.Struct):
    """A line of source; `start` and `end` are the columns of what was running in it."""

    number: int
    text: str
    current: bool = False
    start: int | None = None
    end: int | None = None


class Local(msgspec.Struct):
    """A variable: its name and its bounded, redacted text."""

    name: str
    text: str


class Frame(msgspec.Struct):
    """A frame as it is shown; the frame itself is not held."""

    index: int
    file: str
    short: str
    line: int
    function: str
    is_library: bool
    source: list[Line]
    locals: list[Local]
    left_out: int = 0
    """How many frames before this one are not shown."""

    @property
    def package(self) -> str:
        """The library that the frame belongs to."""
        if self.file.startswith("<"):
            return "generated"
        match = PACKAGES.search(self.file)
        if match:
            return re.split(r"[\\/]", self.file[match.end() :], maxsplit=1)[0].removesuffix(".py")
        return "demijohn" if self.file.startswith(OWN) else "python"


def walk(trace: TracebackType | None) -> Iterator[TracebackType]:
    """Yield the steps of a traceback, the outermost first."""
    while trace is not None:
        yield trace
        trace = trace.tb_next


def read_frames(trace: TracebackType | None) -> list[Frame]:
    """Return the frames of a traceback; of a recursion the first and the last ones."""
    steps = list(walk(trace))
    numbered = list(enumerate(steps))
    left_out = 0
    if len(steps) > _MOST:
        left_out = len(steps) - _MOST
        numbered = [*numbered[: _MOST // 4], *numbered[_MOST // 4 - _MOST :]]
    frames = [_read(index, step) for index, step in numbered]
    if left_out:
        frames[_MOST // 4].left_out = left_out
    return frames


def _read(index: int, step: TracebackType) -> Frame:
    frame = step.tb_frame
    code = frame.f_code
    file = code.co_filename
    library = is_library(file)
    own = file.startswith((OWN, "<"))
    function = getattr(code, "co_qualname", code.co_name)
    return Frame(
        index=index,
        file=file,
        short=_short(file),
        line=step.tb_lineno,
        function=function.replace("<locals>.", ""),
        is_library=library,
        source=lines_around(file, step.tb_lineno, span=_span(code, step.tb_lasti), frame=frame),
        locals=[] if own and library else _locals(frame),
    )


def _short(file: str) -> str:
    match = PACKAGES.search(file)
    if match:
        return file[match.end() :]
    if file.startswith(OWN):
        return "demijohn/" + file[len(OWN) :]
    if file.startswith("<"):
        return file
    for folder in LIBRARIES:
        if file.startswith(folder):
            return file[len(folder) :]
    return relative(file)


Span = tuple[int | None, int | None, int | None, int | None]


def _span(code: CodeType, offset: int) -> Span:
    """Return line, last line, first and last column (UTF-8) of the instruction that ran."""
    if offset < 0:
        return (None, None, None, None)
    return next(islice(code.co_positions(), offset // 2, None), (None, None, None, None))


def lines_around(
    file: str, number: int, *, span: Span = (None, None, None, None), frame: FrameType | None = None
) -> list[Line]:
    """Return the lines of a file around one, with the columns that a span names."""
    lines = linecache.getlines(file, None if frame is None else frame.f_globals)
    if not lines or number < 1:
        return []
    first = max(1, number - _CONTEXT)
    last = min(len(lines), max(number, min(span[1] or number, number + 8)) + _CONTEXT - 1)
    found = []
    for current in range(first, last + 1):
        text = lines[current - 1].rstrip("\r\n").expandtabs(4)
        line = Line(current, text[:400], current == number)
        start, end = _columns(lines[current - 1], current, span)
        if start is not None:
            line.start, line.end = start, end
        found.append(line)
    return found


def _columns(raw: str, number: int, span: Span) -> tuple[int | None, int | None]:
    first, last, start, end = span
    if first is None or last is None or start is None or end is None or not first <= number <= last:
        return None, None
    text = raw.rstrip("\r\n")
    encoded = text.encode("utf-8", "replace")
    begin = len(encoded[:start].decode("utf-8", "replace").expandtabs(4)) if number == first else None
    stop = len(encoded[:end].decode("utf-8", "replace").expandtabs(4)) if number == last else None
    whole = text.expandtabs(4)
    if begin is None:
        begin = len(whole) - len(whole.lstrip())
    if stop is None:
        stop = len(whole.rstrip())
    return (begin, stop) if begin < stop else (None, None)


def _locals(frame: FrameType) -> list[Local]:
    found: list[Local] = []
    is_module = frame.f_code.co_name == "<module>"
    values = dict(frame.f_locals)
    for name, value in values.items():
        if name.startswith("__") and (is_module or name != "__class__"):
            continue
        if is_module and _is_dull(value):
            continue
        if len(found) == _MOST_LOCALS:
            found.append(Local("…", f"{len(values) - _MOST_LOCALS} more"))
            break
        hidden = is_secret(name) and not _says_nothing(value)
        found.append(Local(name, HIDDEN if hidden else shown(value)))
    return found


def _says_nothing(value: object) -> bool:
    return value is None or isinstance(value, bool) or (isinstance(value, str | bytes) and not value)


def _is_dull(value: object) -> bool:
    """Return whether a name of a module is an import, a class or a function: what its source shows anyway."""
    return isinstance(value, type(sys) | type) or callable(value)
