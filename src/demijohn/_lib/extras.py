"""The one place that imports an optional third party by name."""

import importlib
from typing import Any

__all__ = ["MissingExtra", "need"]


class MissingExtra(ImportError):
    """An optional package is not installed; the message is the line to type."""

    code = "DJN-001"


def need(module: str, *, extra: str, wanted_for: str) -> Any:
    """Import `module`, or raise `MissingExtra` with the pip line that brings it.

    Returns `Any`: the type of a module that the checker may not have.
    """
    try:
        return importlib.import_module(module)  # noqa: TID251 - one of the four named places
    except ImportError as error:
        if error.name is not None and not (module == error.name or module.startswith(error.name + ".")):
            raise
        raise MissingExtra(
            f"{wanted_for} was asked for, and the package {module.partition('.')[0]!r} is not installed. "
            f'It comes with an extra of Demijohn.\nInstall it:  pip install "demijohn[{extra}]"  [DJN-001]',
            name=module,
        ) from error
