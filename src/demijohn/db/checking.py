"""The constraints of fields, checked when changed objects are written."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import Session

from demijohn.db.declarative import Declarative

__all__ = ["check_rows", "unchecked"]


def check_rows(model: type[Declarative], rows: Sequence[Mapping[str, Any]]) -> None:
    """Check the values of mappings."""


@contextmanager
def unchecked(session: Session) -> Iterator[None]:
    """Write without checking constraints within the block."""
    yield
