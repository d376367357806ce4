"""Which media type a file has, by its suffix; the same on every machine."""

import re
from urllib.parse import quote

__all__ = ["content_disposition", "guess_content_type", "is_passive"]

UNKNOWN = "application/octet-stream"
_MISLEADING = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\u202a-\u202e\u2066-\u2069]")

_TYPES = {
    "aac": "audio/aac",
    "apng": "image/apng",
    "atom": "application/atom+xml",
    "avi": "video/x-msvideo",
    "avif": "image/avif",
    "bin": UNKNOWN,
    "bmp": "image/bmp",
    "br": "application/x-brotli",
    "bz2": "application/x-bzip2",
    "css": "text/css",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "eml": "message/rfc822",
    "eot": "application/vnd.ms-fontobject",
    "epub": "application/epub+zip",
    "flac": "audio/flac",
    "gif": "image/gif",
    "gz": "application/gzip",
    "heic": "image/heic",
    "htm": "text/html",
    "html": "text/html",
    "ico": "image/vnd.microsoft.icon",
    "ics": "text/calendar",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript",
    "json": "application/json",
    "jsonld": "application/ld+json",
    "jxl": "image/jxl",
    "log": "text/plain",
    "m3u8": "application/vnd.apple.mpegurl",
    "m4a": "audio/mp4",
    "m4v": "video/mp4",
    "map": "application/json",
    "md": "text/markdown",
    "mid": "audio/midi",
    "mjs": "text/javascript",
    "mkv": "video/matroska",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odt": "application/vnd.oasis.opendocument.text",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "png": "image/png",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "ps": "application/postscript",
    "rss": "application/rss+xml",
    "rtf": "application/rtf",
    "sh": "text/x-sh",
    "sqlite": "application/vnd.sqlite3",
    "svg": "image/svg+xml",
    "svgz": "image/svg+xml",
    "tar": "application/x-tar",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "toml": "application/toml",
    "ts": "video/mp2t",
    "tsv": "text/tab-separated-values",
    "ttf": "font/ttf",
    "txt": "text/plain",
    "vcf": "text/vcard",
    "vtt": "text/vtt",
    "wasm": "application/wasm",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "video/webm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xht": "application/xhtml+xml",
    "xhtml": "application/xhtml+xml",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
    "xz": "application/x-xz",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "zip": "application/zip",
    "zst": "application/zstd",
    "7z": "application/x-7z-compressed",
}

# What browsers show without running anything in it.
_PASSIVE = frozenset(
    ("image/apng", "image/avif", "image/bmp", "image/gif", "image/jpeg", "image/jxl", "image/png", "image/webp",
     "image/vnd.microsoft.icon", "text/plain")
)  # fmt: skip


def guess_content_type(name: str) -> str:
    """Return the media type for a file name.

    It is `application/octet-stream` for an unknown suffix.

    Example:
        >>> guess_content_type("photo.JPG"), guess_content_type("backup.tar.gz")
        ('image/jpeg', 'application/gzip')
    """
    _, dot, suffix = name.rpartition(".")
    return _TYPES.get(suffix.lower(), UNKNOWN) if dot else UNKNOWN


def is_passive(content_type: str) -> bool:
    """Whether a browser shows it without running anything in it: pictures, sound, film, plain text."""
    essence = content_type.partition(";")[0].strip().lower()
    return essence in _PASSIVE or essence.startswith(("audio/", "video/"))


def content_disposition(kind: str, filename: str | None = None) -> str:
    """Return the value of a `Content-Disposition` header (RFC 6266).

    A name that is not plain ASCII is sent twice: spelt out for old clients, and in full in the form of RFC 8187.
    Slashes, control characters and those that turn the direction of text are replaced in both: no client is led to
    another folder, and none is shown `exe.txt` for `txt.exe`.

    Example:
        >>> content_disposition("attachment", "Übersicht.pdf")
        'attachment; filename="Ubersicht.pdf"; filename*=UTF-8\\'\\'%C3%9Cbersicht.pdf'
    """
    if not filename:
        return kind
    plain = filename = _MISLEADING.sub("_", filename)
    if not (filename.isascii() and filename.isprintable()):
        from unicodedata import normalize

        plain = normalize("NFKD", filename).encode("ascii", "ignore").decode()
        plain = "".join([c if c.isprintable() else "_" for c in plain])
    for character in '"\\%/':
        plain = plain.replace(character, "_")
    plain = plain.strip()
    if not plain or (plain.startswith(".") and not filename.startswith(".")):
        plain = "download" + plain
    value = f'{kind}; filename="{plain}"'
    if plain != filename:
        value += f"; filename*=UTF-8''{quote(filename.encode('utf-8', 'replace'), safe='!#$&+-.^_`|~')}"
    return value
