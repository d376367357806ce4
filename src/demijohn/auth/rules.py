"""What a new password has to be: long enough, not one that everybody tries first, and not the e-mail address."""

import gzip
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from demijohn._lib.later import difflib
from demijohn._lib.translation import gettext as _
from demijohn._lib.translation import ngettext
from demijohn.auth.hashing import LONGEST

__all__ = ["PasswordRules"]


class PasswordRules:
    """Judges new passwords.

    No rule asks for signs of certain kinds, which only makes them worse.

    Args:
        min_length: The fewest characters.
        common: Refuse the twenty thousand that are tried first, with digits behind them too.
        similar: Refuse what is nearly the e-mail address or another field of the user.

    Example:
        >>> PasswordRules().problems("hunter2hunter", ["ann@example.org"])
        []
        >>> PasswordRules(min_length=8).problems("password123")
        ['This password is among those that are tried first.']
    """

    def __init__(self, *, min_length: int = 12, common: bool = True, similar: bool = True) -> None:
        self.min_length = min_length
        self.common = common
        self.similar = similar

    @property
    def help(self) -> str:
        """One sentence for the form."""
        return ngettext("At least %(num)s character.", "At least %(num)s characters.", self.min_length)

    def problems(self, password: str, about: Iterable[str] = ()) -> list[str]:
        """Return what is wrong with a password, in sentences.

        Args:
            password: The new password.
            about: What is known of the user: their e-mail address, their name.
        """
        found = []
        if len(password) < self.min_length:
            found.append(
                ngettext(
                    "A password has at least %(num)s character.",
                    "A password has at least %(num)s characters.",
                    self.min_length,
                )
            )
        if len(password) > LONGEST:
            return [_("A password has at most %(most)s characters.", most=LONGEST)]
        if not _is_text(password):
            return [_("This password cannot be written.")]
        if self.common and _is_common(password):
            found.append(_("This password is among those that are tried first."))
        if self.similar and _is_similar(password, about):
            found.append(_("This password is too much like your e-mail address or name."))
        return found


def _is_text(password: str) -> bool:
    try:
        password.encode()
    except UnicodeEncodeError:
        return False
    return True


@cache
def _common() -> frozenset[str]:
    path = Path(__file__).parent / "common-passwords.txt.gz"
    return frozenset(gzip.decompress(path.read_bytes()).decode().split())


def _is_common(password: str) -> bool:
    small = password.lower().strip()
    common = _common()
    if small in common or len(set(small)) < 4:
        return True
    bare = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", small)
    if len(bare) >= 4 and bare in common and len(small) - len(bare) < 6:
        return True
    for size in range(1, len(small) // 2 + 1):  # one short thing again and again
        if len(small) % size == 0 and small == small[:size] * (len(small) // size):
            return size < 4 or small[:size] in common
    return False


def _is_similar(password: str, about: Iterable[str]) -> bool:
    small = password.lower()[:128]
    for text in about:
        lowered = text.lower()[:254]
        local = lowered.partition("@")[0]
        parts = {lowered, local, *re.split(r"\W+", lowered), re.sub(r"\W+", "", lowered), re.sub(r"\W+", "", local)}
        for part in parts:
            if len(part) < 4:
                continue
            if (part in small or small in part) and min(len(part), len(small)) * 2 > max(len(part), len(small)):
                return True
            if difflib.SequenceMatcher(None, small, part[:128]).ratio() >= 0.8:
                return True
    return False
