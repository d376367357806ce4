"""Media types such as `text/html; charset=utf-8` (RFC 9110, section 8.3)."""

import re
from collections.abc import Mapping

__all__ = ["MediaType"]

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_ESSENCE = re.compile(rf"\s*({_WORD})/({_WORD})\s*(?:;|$)")
_PARAMETER = re.compile(rf'\s*({_WORD})\s*=\s*(?:({_WORD})|"((?:[^"\\]|\\.)*)")\s*(?:;|$)')


class MediaType:
    """A media type with its parameters; names are in lower case.

    Example:
        >>> media = MediaType.find("Text/HTML; Charset=UTF-8")
        >>> media.essence, media.charset, media.is_json
        ('text/html', 'utf-8', False)
    """

    __slots__ = ("essence", "params")

    essence: str
    """Type and subtype, such as `text/html`."""
    params: Mapping[str, str]
    """The parameters; the first of a name wins."""

    def __init__(self, essence: str, params: Mapping[str, str] | None = None) -> None:
        self.essence = essence
        self.params = {} if params is None else params

    @classmethod
    def find(cls, value: str) -> "MediaType | None":
        """Read a header value; `None` for what is no media type.

        Parameters that make no sense are skipped.
        """
        found = _ESSENCE.match(value)
        if found is None:
            return None
        params: dict[str, str] = {}
        position = found.end()
        while position < len(value):
            parameter = _PARAMETER.match(value, position)
            if parameter is None:
                following = value.find(";", position)
                if following < 0:
                    break
                position = following + 1
                continue
            name, token, quoted = parameter.groups()
            if token is None:
                token = re.sub(r"\\(.)", r"\1", quoted)
            params.setdefault(name.lower(), token)
            position = parameter.end()
        return cls(f"{found[1]}/{found[2]}".lower(), params)

    @property
    def type(self) -> str:
        """What stands before the slash."""
        return self.essence.partition("/")[0]

    @property
    def subtype(self) -> str:
        """What stands behind the slash."""
        return self.essence.partition("/")[2]

    @property
    def charset(self) -> str | None:
        """The `charset` parameter in lower case, or `None` where there is none."""
        charset = self.params.get("charset")
        return None if charset is None else charset.lower()

    @property
    def codec(self) -> str:
        """The Python codec of the charset: `utf-8` where none is named.

        Raises:
            LookupError: The charset is none that browsers know.
        """
        charset = self.params.get("charset")
        if charset is None:
            return "utf-8"
        codec = _CODECS.get(charset.strip().lower())
        if codec is None:
            raise LookupError("no charset of the web")
        return codec

    @property
    def is_json(self) -> bool:
        """Whether it is `application/json` or `text/json`, or ends in `+json`."""
        return self.essence in ("application/json", "text/json") or self.essence.endswith("+json")

    @property
    def is_form(self) -> bool:
        """Whether it is one of the two types that HTML forms send."""
        return self.essence in ("application/x-www-form-urlencoded", "multipart/form-data")

    @property
    def is_text(self) -> bool:
        """Whether it is text of any kind."""
        return self.essence.startswith("text/")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MediaType):
            return self.essence == other.essence and dict(self.params) == dict(other.params)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.essence)

    def __str__(self) -> str:
        parts = [self.essence]
        for name, value in self.params.items():
            if not re.fullmatch(_WORD, value):
                value = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
            parts.append(f"{name}={value}")
        return "; ".join(parts)

    def __repr__(self) -> str:
        return f"MediaType({str(self)!r})"


# What browsers know (WHATWG Encoding Standard) and Python too. Python's own look-up would import what a client names,
# remember each name that does not exist, and find codecs that are no charsets.
_CODECS = {
    "utf-8": "utf-8", "utf8": "utf-8", "utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
    "us-ascii": "ascii", "ascii": "ascii", "latin1": "iso8859-1", "latin-1": "iso8859-1", "l1": "iso8859-1",
    **{f"iso-8859-{n}": f"iso8859-{n}" for n in range(1, 17) if n != 12},
    **{f"iso8859-{n}": f"iso8859-{n}" for n in range(1, 17) if n != 12},
    **{f"windows-{n}": f"cp{n}" for n in range(1250, 1259)},
    **{f"cp{n}": f"cp{n}" for n in range(1250, 1259)},
    "ibm866": "cp866", "cp866": "cp866", "macintosh": "mac-roman", "koi8-r": "koi8-r", "koi8-u": "koi8-u",
    "shift_jis": "shift_jis", "shift-jis": "shift_jis", "sjis": "shift_jis", "windows-31j": "cp932",
    "euc-jp": "euc_jp", "iso-2022-jp": "iso2022_jp", "euc-kr": "euc_kr", "ks_c_5601-1987": "cp949",
    "gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030", "big5": "big5", "big5-hkscs": "big5hkscs",
    "windows-874": "cp874", "tis-620": "tis_620",
}  # fmt: skip
