"""The one decoding of a path."""

import pytest

from demijohn._lib.paths import decode_path


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/", "/"),
        (b"/a/b", "/a/b"),
        (b"/caf%C3%A9", "/café"),
        ("/café".encode(), "/café"),
        (b"/a%2Fb%2fc", "/a%2Fb%2Fc"),
        (b"/a%252Fb", "/a%2Fb"),
        (b"/%2e%2E/x", "/../x"),
        (b"/a%20b+c", "/a b+c"),
        (b"/100%", "/100%"),
        (b"/%zz%4", "/%zz%4"),
        (b"/%25%32%46", "/%2F"),
    ],
)
def test_decoded_once(raw: bytes, path: str) -> None:
    """Escapes are undone once; an encoded slash stays encoded, and what is no escape stays as it is."""
    assert decode_path(raw) == path


@pytest.mark.parametrize("raw", [b"/%00", b"/a\0", b"/%C0%AF", b"/%ED%A0%80", b"/\xff", b"/%F8%88%80%80%AF"])
def test_refused(raw: bytes) -> None:
    """NULs, overlong forms, surrogates and whatever else is not UTF-8 are refused."""
    with pytest.raises(ValueError, match=r"NUL|utf-8"):
        decode_path(raw)
