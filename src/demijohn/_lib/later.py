"""Modules of the standard library that the kernel needs only once something runs.

`asyncio` alone takes as long to load as all of the kernel. A program that only imports the framework (a script that
lists routes, a test that is collected, `demijohn --help`) need not wait for any of them. Write

    from demijohn._lib.later import asyncio

instead of `import asyncio`, and quote annotations that name it: they would be evaluated with the function's definition.
"""

from typing import TYPE_CHECKING, Any

__all__ = [
    "asyncio",
    "difflib",
    "hashlib",
    "hmac",
    "html",
    "inspect",
    "json",
    "logger_of",
    "logging",
    "secrets",
    "shutil",
    "tempfile",
    "tomllib",
]

if TYPE_CHECKING:
    import asyncio
    import difflib
    import hashlib
    import hmac
    import html
    import inspect
    import json
    import logging
    import secrets
    import shutil
    import tempfile
    import tomllib

    def logger_of(name: str) -> logging.Logger:
        """Return the logger of a name, made when something is first logged."""
        return logging.getLogger(name)

else:

    class _Later:
        """Loads a module when an attribute is asked for, and keeps the attribute: the second time costs nothing."""

        def __init__(self, load):
            self.__load = load

        def __getattr__(self, name: str) -> Any:
            value = getattr(self.__load(), name)
            setattr(self, name, value)
            return value

    # Spelled out, since modules are not imported by string.
    def _asyncio():
        import asyncio

        return asyncio

    def _difflib():
        import difflib

        return difflib

    def _hashlib():
        import hashlib

        return hashlib

    def _hmac():
        import hmac

        return hmac

    def _html():
        import html

        return html

    def _inspect():
        import inspect

        return inspect

    def _json():
        import json

        return json

    def _logging():
        import logging

        return logging

    def _secrets():
        import secrets

        return secrets

    def _shutil():
        import shutil

        return shutil

    def _tempfile():
        import tempfile

        return tempfile

    def _tomllib():
        import tomllib

        return tomllib

    asyncio = _Later(_asyncio)
    difflib = _Later(_difflib)
    hashlib = _Later(_hashlib)
    hmac = _Later(_hmac)
    html = _Later(_html)
    inspect = _Later(_inspect)
    json = _Later(_json)
    logging = _Later(_logging)
    secrets = _Later(_secrets)
    shutil = _Later(_shutil)
    tempfile = _Later(_tempfile)
    tomllib = _Later(_tomllib)

    def logger_of(name):
        return _Later(lambda: logging.getLogger(name))
