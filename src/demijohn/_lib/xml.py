"""Text as XML can carry it."""

import re

__all__ = ["is_xml_name", "xml_attribute", "xml_text"]

_NAME = re.compile(r"(?![Xx][Mm][Ll])[A-Za-z_][A-Za-z0-9_.-]*")
# What XML 1.0 has no way to write (section 2.2).
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TEXT = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_TEXT_TABLE = str.maketrans(_TEXT)
_ATTRIBUTE_TABLE = str.maketrans({**_TEXT, '"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


def is_xml_name(text: str) -> bool:
    """Return whether a text is a name that XML takes, without colons and not reserved."""
    return _NAME.fullmatch(text) is not None


def xml_text(text: str) -> str:
    """Return text for the inside of an element; what XML cannot carry becomes U+FFFD."""
    return _UNWRITABLE.sub("\ufffd", text).translate(_TEXT_TABLE)


def xml_attribute(text: str) -> str:
    """Return text for an attribute in double quotes; what XML cannot carry becomes U+FFFD."""
    return _UNWRITABLE.sub("\ufffd", text).translate(_ATTRIBUTE_TABLE)
