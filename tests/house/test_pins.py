"""The pinned versions: constraints.txt names every requirement, and nothing but names and versions."""

import re
import tomllib

import pytest

from .repository import ROOT

pytestmark = pytest.mark.house

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match.group()).lower()


def _requirements() -> set[str]:
    groups = [item for group in PROJECT["dependency-groups"].values() for item in group if isinstance(item, str)]
    extras = [item for extra in PROJECT["project"]["optional-dependencies"].values() for item in extra]
    return {_name(item) for item in (*PROJECT["project"]["dependencies"], *extras, *groups)} - {"demijohn"}


def test_every_requirement_is_pinned() -> None:
    """What pyproject.toml asks for is in constraints.txt; `scripts/constraints` writes it anew."""
    pinned = {_name(line) for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert _requirements() - pinned == set()


def test_pins_are_names_and_versions() -> None:
    """A pin holds no address, no hash and no option."""
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*==[0-9][\w.+!]*(?: ; .+)?", line), line
