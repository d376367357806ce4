"""Values that mean "nothing was given", where `None` already means something."""

from enum import Enum
from typing import Final, Literal, TypeAlias

__all__ = ["MISSING", "Missing"]


class _Sentinel(Enum):
    MISSING = "MISSING"

    def __repr__(self) -> str:
        return self.name

    def __bool__(self) -> Literal[False]:
        return False


MISSING: Final = _Sentinel.MISSING
Missing: TypeAlias = Literal[_Sentinel.MISSING]
