"""The Content-Security-Policy header as a typed value (CSP Level 3)."""

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias, TypedDict, Unpack

from demijohn._lib.text import did_you_mean
from demijohn.errors import ConfigurationError

__all__ = ["DEFAULT_POLICY", "NONCE", "ContentSecurityPolicy", "Directives", "Sources"]

NONCE: Final = "'nonce'"
"""Stands for the nonce of the response; left out of responses in which nothing asked for one."""

Sources: TypeAlias = str | Iterable[str]
"""One source or several: `"self"`, `"https://cdn.example.org"`, `"data:"`; the words of CSP need no quotes here."""

_QUOTED = frozenset(
    (
        "self",
        "none",
        "nonce",
        "unsafe-inline",
        "unsafe-eval",
        "unsafe-hashes",
        "strict-dynamic",
        "report-sample",
        "wasm-unsafe-eval",
        "inline-speculation-rules",
    )
)
_BARE = frozenset(("sandbox", "trusted_types", "report_uri", "report_to"))
_HASHED = ("nonce-", "sha256-", "sha384-", "sha512-")


class Directives(TypedDict, total=False):
    """The directives of CSP Level 3, with underscores for the hyphens."""

    default_src: Sources
    script_src: Sources
    script_src_elem: Sources
    script_src_attr: Sources
    style_src: Sources
    style_src_elem: Sources
    style_src_attr: Sources
    img_src: Sources
    font_src: Sources
    connect_src: Sources
    media_src: Sources
    object_src: Sources
    frame_src: Sources
    child_src: Sources
    worker_src: Sources
    manifest_src: Sources
    base_uri: Sources
    form_action: Sources
    frame_ancestors: Sources
    sandbox: Sources
    trusted_types: Sources
    require_trusted_types_for: Sources
    upgrade_insecure_requests: bool
    report_uri: Sources
    report_to: Sources


# What a directive means where it is not written (CSP Level 3, section 6.8.3).
_FALLBACK = {
    "script_src_elem": "script_src",
    "script_src_attr": "script_src",
    "style_src_elem": "style_src",
    "style_src_attr": "style_src",
    "worker_src": "child_src",
    "frame_src": "child_src",
    "child_src": "script_src",
}
_WITHOUT_DEFAULT = frozenset(
    (
        "base_uri",
        "form_action",
        "frame_ancestors",
        "sandbox",
        "trusted_types",
        "require_trusted_types_for",
        "report_uri",
        "report_to",
    )
)


class ContentSecurityPolicy:
    """An immutable policy: which sources a page may load from, by kind.

    Args:
        directives: By keyword: `script_src=["self", "https://cdn.example.org"]`. Words such as `self`, `none` and
            `nonce` and hashes (`sha256-...`) are quoted where they are not.

    Raises:
        ConfigurationError: A directive is unknown, or a source would break out of the header (`DJN-746`).

    Example:
        >>> policy = ContentSecurityPolicy(default_src="self", script_src=["self", "nonce"])
        >>> str(policy)
        "default-src 'self'; script-src 'self'"
        >>> policy.with_nonce("abc")
        "default-src 'self'; script-src 'self' 'nonce-abc'"
    """

    __slots__ = ("_directives", "_plain", "_template")

    def __init__(self, **directives: Unpack[Directives]) -> None:
        self._directives: dict[str, tuple[str, ...]] = {}
        for name, value in directives.items():
            if name not in Directives.__annotations__:
                raise ConfigurationError(
                    f"The content security policy has a directive {name!r}, which there is not."
                    f"{did_you_mean(name, Directives.__annotations__)}",
                    why="Browsers ignore what they do not know, so it would protect nothing.",
                    fix='Write one of CSP Level 3:  ContentSecurityPolicy(script_src=["self", "nonce"])',
                    code="DJN-746",
                )
            if value is True:
                self._directives[name] = ()
            elif value is not False:
                self._directives[name] = tuple(dict.fromkeys(_source(name, item) for item in _items(value)))
        self._template = "; ".join(self._written(nonce="'nonce-\0'"))
        self._plain = "; ".join(self._written(nonce=""))

    def _written(self, *, nonce: str) -> Iterator[str]:
        for name, sources in self._directives.items():
            words = [nonce if source == NONCE else source for source in sources if source != NONCE or nonce]
            if sources and not words:
                words = ["'none'"]
            yield " ".join((name.replace("_", "-"), *words))

    @property
    def takes_nonce(self) -> bool:
        """Whether any directive lets a nonce in."""
        return self._template != self._plain

    def with_nonce(self, nonce: str) -> str:
        """Return the header for a response in which this nonce was used."""
        return self._template.replace("\0", nonce)

    def __str__(self) -> str:
        return self._plain

    def __repr__(self) -> str:
        return f"ContentSecurityPolicy({self._plain!r})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ContentSecurityPolicy):
            return self._directives == other._directives
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._template)

    def sources(self, directive: str) -> tuple[str, ...] | None:
        """Return the sources of a directive as written in the header, or `None`."""
        return self._directives.get(directive.replace("-", "_"))

    def replace(self, **directives: Unpack[Directives]) -> "ContentSecurityPolicy":
        """Return a policy in which these directives have these sources instead.

        An empty list means `'none'`.
        """
        changed = ContentSecurityPolicy(**directives)
        return self._with(self._directives | changed._directives)

    def without(self, *directives: str) -> "ContentSecurityPolicy":
        """Return a policy that does not have these directives."""
        names = {name.replace("-", "_") for name in directives}
        return self._with({name: value for name, value in self._directives.items() if name not in names})

    def allow(self, **directives: Unpack[Directives]) -> "ContentSecurityPolicy":
        """Return a policy that allows these sources too.

        A directive that is not there yet begins with what it falls back to (`font_src` with `default_src`), so that
        nothing that was allowed is lost.

        Example:
            >>> policy = ContentSecurityPolicy(default_src="self").allow(font_src="https://fonts.example.org")
            >>> str(policy)
            "default-src 'self'; font-src 'self' https://fonts.example.org"
        """
        directives_now = dict(self._directives)
        for name, added in ContentSecurityPolicy(**directives)._directives.items():
            before = [source for source in self._effective(name) if source != "'none'"]
            directives_now[name] = tuple(dict.fromkeys((*before, *added)))
        return self._with(directives_now)

    def _effective(self, name: str) -> tuple[str, ...]:
        step: str | None = name
        while step is not None:
            found = self._directives.get(step)
            if found is not None:
                return found
            step = _FALLBACK.get(step)
        return () if name in _WITHOUT_DEFAULT else self._directives.get("default_src", ())

    def _with(self, directives: dict[str, tuple[str, ...]]) -> "ContentSecurityPolicy":
        policy = ContentSecurityPolicy.__new__(ContentSecurityPolicy)
        policy._directives = directives
        policy._template = "; ".join(policy._written(nonce="'nonce-\0'"))
        policy._plain = "; ".join(policy._written(nonce=""))
        return policy


def _items(value: object) -> list[str]:
    if isinstance(value, str):
        return value.split() or ["none"]
    items = [str(item) for item in value] if isinstance(value, Iterable) else [str(value)]
    return items or ["none"]


def _source(directive: str, source: str) -> str:
    text = source.strip()
    bare = text[1:-1] if len(text) > 2 and text[0] == "'" == text[-1] else text
    if directive == "require_trusted_types_for" or (bare.lower() in _QUOTED and directive not in _BARE):
        return f"'{bare.lower()}'"
    if bare.startswith(_HASHED):
        text = f"'{bare}'"
    inner = bare if text.startswith("'") else text
    if not inner or not inner.isascii() or not inner.isprintable() or any(letter in inner for letter in " ;,'\""):
        raise ConfigurationError(
            f"The source {source!r} of {directive.replace('_', '-')} cannot be written into the header.",
            why="A source has no spaces, quotes, commas or semicolons in it: they end the source or the directive.",
            fix=f'Write each source by itself:  {directive}=["self", "https://cdn.example.org"]',
            code="DJN-746",
        )
    return text


DEFAULT_POLICY: Final = ContentSecurityPolicy(
    default_src="self",
    script_src=["self", NONCE],
    style_src=["self", NONCE],
    img_src=["self", "data:"],
    object_src="none",
    base_uri="none",
    form_action="self",
    frame_ancestors="none",
)
"""Everything from this site; inline scripts and styles by nonce; no plug-ins, no frames around our pages."""
