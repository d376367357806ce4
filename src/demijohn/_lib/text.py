"""Small helpers for texts that people read."""

from collections.abc import Iterable

from demijohn._lib.later import difflib

__all__ = ["bytes_as_text", "did_you_mean", "listing"]


def did_you_mean(word: str, known: Iterable[str], *, limit: int = 3) -> str:
    """Return ` Did you mean 'x'?` with the names nearest to `word`, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=limit, cutoff=0.6)
    if not near:
        return ""
    return f" Did you mean {listing(near)}?"


def listing(names: Iterable[str], *, last: str = "or") -> str:
    """Join quoted names as people write them: `'a', 'b' or 'c'`."""
    quoted = [repr(name) for name in names]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"


def bytes_as_text(size: int) -> str:
    """Return a number of bytes as people say it: `2 MB`, `512 KB`."""
    for unit, name in ((1024**3, "GB"), (1024**2, "MB"), (1024, "KB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} B"
