"""What differs between the places where an app runs: typed, frozen, checked before the start."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, dataclass_transform, get_args, get_origin

import msgspec

from demijohn._lib.text import did_you_mean
from demijohn.app.sources import Source, read_env_file, read_secret_files, read_toml
from demijohn.errors import ConfigurationError, ValidationFailed
from demijohn.schema import convert, register_decoder, register_encoder

__all__ = ["Origin", "Secret", "Settings"]

PREFIX = "DEMIJOHN_"
# Read without the prefix too: the names that every platform uses for them.
PLAIN = frozenset(
    [
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
        "ALLOWED_HOSTS",
        "TRUSTED_ORIGINS",
        "TRUSTED_PROXIES",
        "MAIL_URL",
        "MAIL_SENDER",
    ]
)
# Names with the prefix that are no settings.
RESERVED = ("DEMIJOHN_APP", "DEMIJOHN_TEST_", "DEMIJOHN_EDITOR", "DEMIJOHN_SECRETS", "DEMIJOHN_BENCH")


class Secret:
    """A value that never prints, logs or pickles; `reveal()` returns it.

    Example:
        >>> Secret("hunter2"), f"{Secret('hunter2')}"
        (Secret('***'), '***')
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> Any:
        raise TypeError("A Secret is not pickled: what is pickled gets stored. Pass the name of the setting instead.")


register_decoder(Secret, lambda value: Secret(str(value)))
register_encoder(Secret, lambda value: "***")


class Origin(NamedTuple):
    """Where the value of a setting came from; a secret is shown as `***`."""

    name: str
    shown: str
    source: str


class _Leaf(NamedTuple):
    """One value: its name in upper case, where it goes, its type, and what it is when nothing is said."""

    name: str
    path: tuple[str, ...]
    type: Any
    field: msgspec.structs.FieldInfo
    is_own: bool


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class _SettingsMeta(msgspec.StructMeta):
    """Makes every class of settings frozen and keyword-only, without the subclass having to say so."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        return super().__new__(
            mcs, name, bases, namespace, **{"frozen": True, "kw_only": True, "dict": True, **options}
        )


class Settings(msgspec.Struct, metaclass=_SettingsMeta):
    """The settings that the kernel reads; a subclass adds those of the app.

    A value is looked for in the keyword arguments of `load`, the environment, files of the folder of secrets (or the
    file
    that `NAME_FILE` names), `.env`, and `settings.toml`; the first that has it wins. The kernel's own have the prefix
    `DEMIJOHN_`; those of a subclass none. A field that is a Struct itself is read from `NAME__FIELD`, or a table in
    TOML.

    Example:
        >>> class Shop(Settings):
        ...     currency: str = "EUR"
        ...     api_key: Secret
        >>> shop = Shop.load({"CURRENCY": "CHF", "API_KEY": "k-1", "DEMIJOHN_THREADS": "8"}, files=())
        >>> shop.currency, shop.api_key, shop.threads
        ('CHF', Secret('***'), 8)
    """

    env: Literal["development", "production", "test"] | None = None
    """Set by `demijohn run` (development), `demijohn serve` (production) and the pytest plugin (test)."""
    debug: bool = False
    secret_key: Secret | None = None
    secret_key_fallbacks: tuple[Secret, ...] = ()
    """Older keys: what they sealed or signed is still read."""
    allowed_hosts: tuple[str, ...] = ()
    trusted_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    root_path: str = ""
    mail_url: Secret | None = None
    """How mail is sent: `smtp://user:password@host:587`, `console:`, ...; a secret, since a password stands in it."""
    mail_sender: str = ""
    """Who mail is from."""
    threads: int = 32
    """How many plain `def` handlers run at once."""
    request_timeout: float = 30.0
    toolbar: bool = True
    """Whether pages have the toolbar in development."""
    log_level: str = "info"
    log_format: Literal["auto", "pretty", "json"] = "auto"
    """`auto` is JSON in production and lines for people elsewhere."""
    log_levels: tuple[str, ...] = ()
    """Levels of single loggers: `sqlalchemy=warning,shop=debug`."""

    @classmethod
    def load(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        files: Sequence[str | Path] = (".env", "settings.toml"),
        secrets: str | Path | None = None,
        **values: Any,
    ) -> Self:
        """Read the settings and check all of them at once.

        Args:
            environment: Instead of the environment of the process.
            files: `.env` and TOML files, the strongest first; those that do not exist are passed over.
            secrets: The folder of secret files; `DEMIJOHN_SECRETS`, or `/run/secrets`, where it is not given.
            values: Settings that win over everything, by field name (Any: checked as all others).

        Raises:
            ConfigurationError: Something is unknown, missing or of the wrong type (DJN-760), or a file cannot be read.
        """
        environment = os.environ if environment is None else environment
        leaves = {leaf.name: leaf for leaf in _leaves(cls)}
        problems: list[str] = []
        sources = list(_sources(environment, files, secrets, values, frozenset(leaves)))
        found: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for source in sources:
            for name in source.values:
                leaf = leaves.get(_bare(name, source, leaves))
                if leaf is None:
                    problems += _unknown(name, source, leaves)
                elif leaf.name not in found:
                    found[leaf.name] = source.values[name]
                    origins[leaf.name] = source.name
        tree = _build(cls, leaves.values(), found, problems)
        if problems:
            raise ConfigurationError(
                f"The settings of {cls.__name__} cannot be used:\n" + "\n".join(f"  {line}" for line in problems),
                why="They are checked before the app starts, so that no request meets a wrong one.",
                fix="Mend them in the environment or in `.env`;  `demijohn settings` shows where each comes from.",
                code="DJN-760",
            )
        settings = cls(**tree)
        vars(settings)["_origins"] = origins
        if settings.env == "production" and settings.debug:
            raise ConfigurationError(
                "DEMIJOHN_DEBUG is on in production.",
                why="Debug pages show source code and values to whoever meets an error.",
                fix="Take DEMIJOHN_DEBUG out of the environment, or use `demijohn run` to develop.",
                code="DJN-763",
            )
        return settings

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values, as tests need them (Any: values of the fields)."""
        changed = msgspec.structs.replace(self, **changes)
        vars(changed)["_origins"] = {
            **self.__dict__.get("_origins", {}),
            **{name.upper(): "the test" for name in changes},
        }
        return changed

    def origins(self) -> Iterator[Origin]:
        """Yield each setting and where it came from; secrets are not shown."""
        known: dict[str, str] = self.__dict__.get("_origins", {})
        for leaf in _leaves(type(self)):
            value: Any = self
            for part in leaf.path:
                value = getattr(value, part)
            yield Origin(_full(leaf), _shown(value), known.get(leaf.name, "default"))


def _leaves(cls: type[msgspec.Struct], prefix: str = "", path: tuple[str, ...] = ()) -> Iterator[_Leaf]:
    for field in msgspec.structs.fields(cls):
        name = f"{prefix}{field.name}".upper()
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from _leaves(field.type, f"{name}__", (*path, field.name))
        else:
            is_own = not path and field.name in Settings.__struct_fields__
            yield _Leaf(name, (*path, field.name), field.type, field, is_own)


def _full(leaf: _Leaf) -> str:
    return PREFIX + leaf.name if leaf.is_own else leaf.name


def _sources(
    environment: Mapping[str, str],
    files: Sequence[str | Path],
    secrets: str | Path | None,
    values: Mapping[str, Any],
    names: frozenset[str],
) -> Iterator[Source]:
    if values:
        yield Source("the program", values, is_ours=True)
    yield Source("the environment", environment)
    pointed = {
        name: Path(environment[f"{name}_FILE"]).read_text(encoding="utf-8").rstrip("\r\n")
        for name in names
        if environment.get(f"{name}_FILE")
    }
    if pointed:
        yield Source("the file that *_FILE names", pointed, is_ours=True)
    folder = Path(secrets or environment.get("DEMIJOHN_SECRETS") or "/run/secrets")
    found = read_secret_files(folder, names | {PREFIX + name for name in names})
    if found:
        yield Source(f"the secret files in {folder.name}", found, is_ours=True)
    for file in files:
        path = Path(file)
        if not path.is_file():
            continue
        if path.suffix == ".toml":
            yield Source(path.name, read_toml(path), is_ours=True)
        else:
            yield Source(path.name, read_env_file(path))


def _bare(name: str, source: Source, leaves: Mapping[str, _Leaf]) -> str:
    """Return the name of the setting that a name in a source stands for, or what nothing is called."""
    if name.startswith(PREFIX):
        return name.removeprefix(PREFIX)
    leaf = leaves.get(name)
    if leaf is not None and leaf.is_own and name not in PLAIN and not source.is_ours:
        # DEBUG, ENV or THREADS in the environment are most often somebody else's.
        return ""
    return name


def _unknown(name: str, source: Source, leaves: Mapping[str, _Leaf]) -> list[str]:
    if name.startswith(RESERVED) or name.endswith("_FILE"):
        return []
    if not (source.is_ours or name.startswith(PREFIX)):
        return []
    bare = name.removeprefix(PREFIX)
    return [f"{name} ({source.name}) is not known.{did_you_mean(bare, leaves)}"]


def _build(cls: type[msgspec.Struct], leaves: Any, found: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for leaf in leaves:
        if leaf.name in found:
            try:
                value = _convert(found[leaf.name], leaf)
            except ValidationFailed as failed:
                problems += [f"{_full(leaf)}: {error.message}" for error in failed.errors]
                continue
        elif leaf.field.required:
            problems.append(f"{_full(leaf)} is missing.")
            continue
        else:
            continue
        branch = tree
        for part in leaf.path[:-1]:
            branch = branch.setdefault(part, {})
        branch[leaf.path[-1]] = value
    if problems:
        return {}
    return _nested(cls, tree)


def _nested(cls: type[msgspec.Struct], tree: dict[str, Any]) -> dict[str, Any]:
    for field in msgspec.structs.fields(cls):
        is_group = isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
        if is_group and (field.name in tree or field.required):
            tree[field.name] = field.type(**_nested(field.type, tree.get(field.name, {})))
    return tree


def _convert(value: Any, leaf: _Leaf) -> Any:
    expected = leaf.type
    if isinstance(value, str) and _holds_many(expected):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, str | list):
        return convert(value, expected, text=True)
    return convert(value, expected)


def _holds_many(expected: Any) -> bool:
    origin = get_origin(expected) or expected
    if origin in (list, tuple, set, frozenset):
        return True
    return any(get_origin(part) in (list, tuple, set, frozenset) for part in get_args(expected))


def _shown(value: Any) -> str:
    if isinstance(value, Secret):
        return "***"
    if isinstance(value, tuple | list | set | frozenset) and any(isinstance(part, Secret) for part in value):
        return f"*** ({len(value)})"
    return repr(value)


def settings_types(settings: Settings) -> list[type[Settings]]:
    """Return the classes that a value of settings is asked for by: its own, and those that it extends."""
    return [cls for cls in type(settings).__mro__ if issubclass(cls, Settings)]
