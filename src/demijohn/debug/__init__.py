"""The debugger: what is shown to the developer when something fails. Loaded at the first failure in debug mode only."""

from demijohn.debug.debugger import Debugger, debugger_of
from demijohn.debug.grant import ConsoleRefused, Grant, find_grant, grant_console, revoke_console
from demijohn.debug.loading import broken_app
from demijohn.debug.redaction import is_secret, redact, shown
from demijohn.debug.tags import tell_of_tags
from demijohn.debug.toolbar import Toolbar, toolbar_of

__all__ = [
    "ConsoleRefused",
    "Debugger",
    "Grant",
    "Toolbar",
    "broken_app",
    "debugger_of",
    "find_grant",
    "grant_console",
    "is_secret",
    "redact",
    "revoke_console",
    "shown",
    "tell_of_tags",
    "toolbar_of",
]
