"""The links in mails: signed, for one purpose, of a short life, and good for one use."""

from datetime import timedelta
from typing import Any, Literal, TypeVar

from demijohn._lib.later import hashlib
from demijohn._lib.signing import BadSignature, Signer
from demijohn.auth.logins import key_of, key_type
from demijohn.auth.models import User
from demijohn.errors import ValidationFailed
from demijohn.schema import convert

__all__ = ["MailLinks", "Purpose"]

U = TypeVar("U", bound=User)
Purpose = Literal["reset", "verify", "email"]

LIFE: dict[Purpose, timedelta] = {"reset": timedelta(hours=1), "verify": timedelta(days=3), "email": timedelta(hours=3)}


class MailLinks:
    """Makes and reads the tokens of links, under the keys of an app (Any: the app)."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._signers: dict[str, Signer] = {}

    def make(self, purpose: Purpose, user: User, *more: str) -> str:
        """Return the token of a link for a user, which holds more texts where some are given."""
        return self._signer(purpose).dumps([key_of(user), _state(purpose, user), *more])

    async def find(
        self, purpose: Purpose, token: str, model: type[U], *, lock: bool = False
    ) -> tuple[U | None, list[str]]:
        """Return the user whose link it is, and the texts that it holds.

        None and no texts where it is too old, used, forged or of another purpose.

        Args:
            purpose: What the link is for.
            token: What came with it.
            model: The user model.
            lock: Hold the row until the end of the unit of work, so that of two at once only one finds the link good.
        """
        try:
            key, state, *more = self._signer(purpose).loads(token, max_age=LIFE[purpose].total_seconds())
            wanted = convert(key, key_type(model))
        except (BadSignature, ValidationFailed, ValueError, TypeError):
            return None, []
        query = model.where(model.__mapper__.primary_key[0] == wanted)
        user = await (query.for_update() if lock else query).first()
        if user is None or not user.is_active or _state(purpose, user) != state:
            return None, []
        return user, [str(text) for text in more]

    def _signer(self, purpose: Purpose) -> Signer:
        found = self._signers.get(purpose)
        if found is None:
            found = self._signers[purpose] = Signer(self._app.keys, f"auth.{purpose}")
        return found


def _state(purpose: Purpose, user: User) -> str:
    """Return a digest of what using the link changes, and of what makes it worthless when it changes."""
    if purpose == "email":
        parts: tuple[object, ...] = (user.password_hash, user.session_stamp)
    elif purpose == "reset":
        parts = (user.password_hash, user.session_stamp, user.last_login_at)
    else:
        parts = (user.email_verified_at, user.password_hash, user.session_stamp)
    text = "\x00".join(map(str, (purpose, user.email, *parts)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
