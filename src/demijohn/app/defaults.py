"""The batteries that install themselves with their defaults when something first needs them.

A route that returns a `Page` needs `templating`, `flash` and `current.session` need `sessions`. `app.use(...)` only
configures them.
This is one of the four places that import by string.
"""

import importlib
from typing import Any

__all__ = ["BATTERIES", "COMPANIONS", "default_battery"]

BATTERIES = {
    "templating": ("demijohn.templating", "Templates"),
    "sessions": ("demijohn.sessions", "Sessions"),
    "mail": ("demijohn.mail", "Mail"),
    "forms": ("demijohn.forms", "Forms"),
    "migrations": ("demijohn.migrations", "Migrations"),
}
COMPANIONS = {"db": "migrations"}
"""What comes with a battery, unless it was added by hand: its name up to a colon, and the companion."""


def default_battery(name: str) -> Any:
    """Return a new battery of that name with its defaults (Any: of the battery's class)."""
    module, cls = BATTERIES[name]
    return getattr(importlib.import_module(module), cls)()  # noqa: TID251 - one of the four named places
