"""Watching files for changes, in a process of its own: its threads must not be there when others fork."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

__all__ = ["watch_files"]

_SETTLED: Final = 20
"""Milliseconds of silence after which changes are told."""
_LONGEST: Final = 200
"""Milliseconds after which they are told however many go on coming."""


def watch_files(paths: Sequence[Path], suffixes: tuple[str, ...], told: int) -> None:
    """Write the path of each changed file as a line into the pipe `told`, until whoever reads it is gone.

    Hidden folders, caches, environments and what editors leave for a moment do not count.
    """
    from watchfiles import BaseFilter, Change, watch
    from watchfiles.filters import PythonFilter

    base: BaseFilter = PythonFilter(extra_extensions=suffixes)

    def counts(change: Change, path: str) -> bool:
        return path.endswith(suffixes) and not _is_hidden(path, paths) and base(change, path)

    parent = os.getppid()
    for changes in watch(
        *paths,
        watch_filter=counts,
        debounce=_LONGEST,
        step=_SETTLED,
        rust_timeout=2000,
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        if os.getppid() != parent:
            return
        if changes:
            lines = b"".join([os.fsencode(path) + b"\n" for path in sorted({path for _, path in changes})])
            try:
                os.write(told, lines)
            except BrokenPipeError:
                return


def _is_hidden(path: str, roots: Sequence[Path]) -> bool:
    """Return whether a file lies in a hidden folder below what is watched, or is hidden itself."""
    for root in roots:
        if path.startswith(f"{root}{os.sep}"):
            return any(part.startswith(".") for part in Path(path).relative_to(root).parts)
    return False
