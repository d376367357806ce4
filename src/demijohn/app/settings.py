"""What differs between places where an app runs: typed, frozen, from the environment."""

import os
from collections.abc import Mapping
from typing import Any, Self

import msgspec

from demijohn.errors import ConfigurationError

__all__ = ["Secret", "Settings"]


class Secret:
    """A value that never prints; `reveal()` returns it.

    Example:
        >>> Secret("hunter2")
        Secret('***')
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> Any:
        raise TypeError("A Secret is not pickled: what is pickled gets stored. Pass the name of the setting instead.")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that the kernel reads; a subclass adds those of the app.

    Each is read from the environment by its name in upper case, first with the prefix `DEMIJOHN_`, then without.

    Example:
        >>> Settings.load({"DEMIJOHN_ALLOWED_HOSTS": "example.com,.example.org"}).allowed_hosts
        ('example.com', '.example.org')
    """

    debug: bool = False
    secret_key: Secret | None = None
    secret_key_fallbacks: tuple[Secret, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    trusted_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    root_path: str = ""
    threads: int = 32
    request_timeout: float = 30.0

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings from the environment, or from a mapping.

        Raises:
            ConfigurationError: A value has the wrong type.
        """
        source = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for field in msgspec.structs.fields(cls):
            for name in (f"DEMIJOHN_{field.name.upper()}", field.name.upper()):
                if name in source:
                    values[field.name] = _read(source[name], field.type)
                    break
        try:
            return msgspec.convert(values, cls, strict=False, dec_hook=_decode)
        except msgspec.ValidationError as error:
            raise ConfigurationError(
                f"A setting of {cls.__name__} cannot be read: {error}",
                why="Settings are checked before the app starts.",
                fix="Mend the environment variable of that name.",
                code="DJN-415",
            ) from error


def _read(value: str, expected: Any) -> Any:
    if getattr(expected, "__origin__", None) in (tuple, list):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _decode(expected: type, value: Any) -> Any:
    if expected is Secret:
        return Secret(value)
    raise NotImplementedError(expected)
