"""Where settings come from: the environment, secret files, `.env` files, TOML. Text in, names and values out."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from demijohn._lib.later import tomllib
from demijohn.errors import ConfigurationError

__all__ = ["Source", "flatten_toml", "read_env_file", "read_secret_files", "read_toml"]

_LINE = re.compile(r"^(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)$")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$"}


class Source:
    """Names in upper case with their values, and what to call the place in a message.

    A value is text, or what TOML has: numbers, switches, lists (Any for those).
    """

    __slots__ = ("is_ours", "name", "values")

    def __init__(self, name: str, values: Mapping[str, Any], *, is_ours: bool = False) -> None:
        self.name = name
        self.values = {key.upper(): value for key, value in values.items()}
        self.is_ours = is_ours
        """Whether every name in it is meant for the settings, so that an unknown one is a mistake."""


def read_env_file(path: Path) -> dict[str, str]:
    """Read a `.env` file: `NAME=value`, `#` comments, quotes, `export`, values over several lines in quotes.

    Single quotes keep everything as it is; double quotes know escapes.
    Nothing is expanded.

    Raises:
        ConfigurationError: A line is none of these (DJN-761).
    """
    values: dict[str, str] = {}
    lines = iter(enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1))
    for number, line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.match(text)
        if match is None:
            raise _bad_line(path, number, "It is not NAME=value.")
        values[match["name"]] = _value(match["value"], lines, path, number)
    return values


def _value(text: str, lines: Iterator[tuple[int, str]], path: Path, number: int) -> str:
    if not text or text[0] not in "'\"":
        return re.split(r"\s+#", text, maxsplit=1)[0].strip()
    quote, rest, parts = text[0], text[1:], []
    while True:
        end = _closing(rest, quote)
        if end >= 0:
            parts.append(rest[:end])
            tail = rest[end + 1 :].strip()
            if tail and not tail.startswith("#"):
                raise _bad_line(path, number, f"Something follows the closing {quote}.")
            break
        parts.append(rest)
        following = next(lines, None)
        if following is None:
            raise _bad_line(path, number, f"The quote {quote} is never closed.")
        rest = following[1]
    value = "\n".join(parts)
    if quote == "'":
        return value
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), value)


def _closing(text: str, quote: str) -> int:
    position = 0
    while position < len(text):
        if text[position] == "\\" and quote == '"':
            position += 2
            continue
        if text[position] == quote:
            return position
        position += 1
    return -1


def _bad_line(path: Path, number: int, why: str) -> ConfigurationError:
    # The line itself may hold a secret, so it is not shown.
    return ConfigurationError(
        f"Line {number} of {path.name} cannot be read.",
        why=why,
        fix='Write NAME=value, or NAME="value with spaces".',
        code="DJN-761",
    )


def read_secret_files(folder: Path, wanted: frozenset[str]) -> dict[str, str]:
    """Read the files of a folder (`/run/secrets`) whose names are wanted; a line break at the end is dropped."""
    values: dict[str, str] = {}
    try:
        names = os.listdir(folder)
    except OSError:
        return values
    for name in names:
        if name.upper() in wanted:
            try:
                values[name] = (folder / name).read_text(encoding="utf-8").rstrip("\r\n")
            except OSError as error:
                raise ConfigurationError(
                    f"The secret file {name!r} cannot be read: {error.strerror}.",
                    why="A setting of that name is wanted, so the file is meant.",
                    fix="Let the user that runs the app read it.",
                    code="DJN-762",
                ) from error
    return values


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file (Any: as TOML has it); of `pyproject.toml` the table `[tool.demijohn.settings]`.

    Raises:
        ConfigurationError: It is no TOML (DJN-761).
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{path.name} cannot be read: {error}.",
            why="It is no TOML.",
            fix="Mend that line.",
            code="DJN-761",
        ) from None
    if path.name == "pyproject.toml":
        found = found.get("tool", {}).get("demijohn", {}).get("settings", {})
    return flatten_toml(found)


def flatten_toml(table: Mapping[str, Any], *, prefix: str = "") -> dict[str, Any]:
    """Return nested tables as flat names: `{"db": {"url": 1}}` is `DB__URL` (Any: as TOML has it)."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        full = f"{prefix}{name}".upper()
        if isinstance(value, dict):
            flat.update(flatten_toml(value, prefix=f"{full}__"))
        else:
            flat[full] = value
    return flat
