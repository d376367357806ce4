"""Names of operations, which do not depend on the order that routes stand in."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from demijohn.app import Operation
from demijohn.openapi.describing import Description

__all__ = ["distinct_ids"]

_METHODS = frozenset(("GET", "PUT", "POST", "DELETE", "PATCH"))


def distinct_ids(given: Sequence[tuple[Operation, Description]]) -> list[str]:
    """Return a name for each operation, no two the same.

    All whose names would clash get their path, then their method; what somebody wrote goes before what is made.
    """
    candidates = [_candidates(operation, about) for operation, about in given]
    written = Counter(about.operation_id for _, about in given if about.operation_id is not None)
    levels = [0] * len(given)
    while True:
        names = [each[level] for each, level in zip(candidates, levels, strict=True)]
        taken = Counter(names)
        moved = False
        for index, (name, (_, about)) in enumerate(zip(names, given, strict=True)):
            is_fixed = about.operation_id is not None and written[about.operation_id] == 1
            if taken[name] > 1 and not is_fixed and levels[index] + 1 < len(candidates[index]):
                levels[index] += 1
                moved = True
        if not moved:
            return names


def _candidates(operation: Operation, about: Description) -> tuple[str, ...]:
    method = operation.method.lower()
    wanted = about.operation_id
    if wanted is None:
        wanted = re.sub(r"\W+", "_", operation.route.name).strip("_")
        if len(_METHODS.intersection(operation.route.details)) > 1:
            wanted += f"_{method}"
    pattern = operation.route.pattern
    path = f"{wanted}_{re.sub(r'[^A-Za-z0-9]+', '_', pattern).strip('_')}"
    # Paths that differ in signs alone: told apart by all of their letters.
    digest = hashlib.sha256(f"{method} {pattern}".encode()).hexdigest()[:8]
    return wanted, path, f"{path}_{method}", f"{path}_{method}_{digest}"
