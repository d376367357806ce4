"""Text into HTML: escaped, and source code with its words coloured."""

import builtins
import keyword
import re
from typing import Final

from demijohn.debug.frames import Line
from demijohn.debug.redaction import text_of

__all__ = ["coloured", "escaped"]

_TABLE: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "\0": "�"})
_WORDS: Final = re.compile(
    r"""(?P<comment>\#.*)
    |(?P<string>(?:\b[rbfu]{1,2})?(?:'''.*?(?:'''|$)|\"\"\".*?(?:\"\"\"|$)|'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?))
    |(?P<number>\b(?:0[xob][\da-f_]+|\d[\d_]*\.?\d*(?:e[+-]?\d+)?)\b)
    |(?P<decorator>^\s*@[\w.]+)
    |(?P<word>\b[^\W\d]\w*\b)""",
    re.VERBOSE | re.IGNORECASE,
)
_BUILTINS: Final = frozenset(name for name in dir(builtins) if name[0].islower())


def escaped(value: object) -> str:
    """Return any value as text that is safe in HTML and its attributes; what says it is HTML is escaped all the same.

    Example:
        >>> escaped("<b title='x'>")
        '&lt;b title=&#39;x&#39;&gt;'
    """
    return text_of(value).translate(_TABLE).encode("utf-8", "replace").decode("utf-8")


def coloured(line: Line, *, python: bool = True) -> str:
    """Return a line of source as HTML, with what was running in it marked."""
    text = line.text
    if line.start is None or line.end is None:
        return _words(text) if python else escaped(text)
    parts = (text[: line.start], text[line.start : line.end], text[line.end :])
    before, middle, after = (_words(part) if python else escaped(part) for part in parts)
    return f"{before}<mark>{middle}</mark>{after}" if middle else f"{before}<mark> </mark>{after}"


def _words(text: str) -> str:
    out = []
    last = 0
    defined = False
    for match in _WORDS.finditer(text):
        kind, word = match.lastgroup, match.group()
        css = {"comment": "c", "string": "s", "number": "n", "decorator": "d"}.get(kind or "")
        if kind == "word":
            if defined:
                css, defined = "f", False
            elif keyword.iskeyword(word) or (word in ("match", "case") and text.lstrip().startswith(word)):
                css, defined = "k", word in ("def", "class")
            elif word in _BUILTINS:
                css = "b"
        if css:
            out.append(f"{escaped(text[last : match.start()])}<i class={css}>{escaped(word)}</i>")
            last = match.end()
    out.append(escaped(text[last:]))
    return "".join(out)
