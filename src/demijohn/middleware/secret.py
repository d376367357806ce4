"""Where the secret of an app comes from: its settings, or a file made on the first run of development."""

import os
from collections.abc import Iterable
from pathlib import Path

from demijohn._lib.keys import KeyRing, WeakSecret
from demijohn._lib.later import secrets
from demijohn.errors import ConfigurationError

__all__ = ["SECRET_FILE", "get_keys", "make_secret"]

SECRET_FILE = Path(".demijohn") / "secret_key"
"""Where the secret of development is kept, below the folder of the app."""

_MAKE = "python -c 'import secrets; print(secrets.token_urlsafe(48))'"


def make_secret() -> str:
    """Return a new secret: 48 random bytes as 64 letters."""
    return secrets.token_urlsafe(48)


def get_keys(
    configured: str | bytes | Iterable[str | bytes] | None, *, production: bool, directory: str | Path | None = "."
) -> KeyRing:
    """Return the keys of an app.

    Args:
        configured: The setting `SECRET_KEY`: one secret, several with the newest first, or nothing.
        production: Whether a secret must be configured. Otherwise one is made on the first run, and kept in
            `.demijohn/secret_key`, readable by its owner alone and ignored by git.
        directory: The folder of the app; `None` makes a secret that lasts as long as the process, for tests.

    Raises:
        ConfigurationError: It is missing in production, too weak, or the file cannot be written (`DJN-740`).

    Example:
        >>> get_keys("a7c1f09e5b2d48836e4f0c9b1d75a2e8", production=True)
        KeyRing(1 secrets, hidden)
    """
    if configured:
        try:
            return KeyRing(configured)
        except WeakSecret as error:
            raise ConfigurationError(
                f"SECRET_KEY is not usable: {error}",
                why="Whoever guesses it can forge sessions, tokens and signed links.",
                fix=f"Make one, and keep it out of the repository:  {_MAKE}",
                code="DJN-740",
            ) from None
    if production:
        raise ConfigurationError(
            "SECRET_KEY is not set, and this is production.",
            why="Sessions, CSRF tokens and signed links are proof against forgery only by a secret that stays.",
            fix=f"Make one, and put it into the environment by the name SECRET_KEY:  {_MAKE}",
            code="DJN-740",
        )
    return KeyRing(make_secret() if directory is None else _development_secret(Path(directory)))


def _development_secret(directory: Path) -> str:
    path = directory / SECRET_FILE
    for _ in range(2):
        found = _read(path)
        if found is not None:
            return found
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            ignore = path.parent / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
            _write_once(path, make_secret())
        except OSError as error:
            raise ConfigurationError(
                f"The secret of development cannot be kept in {path}: {error.strerror}.",
                why="Without it every restart would sign everybody out.",
                fix=f'Make the folder writable, or set one:  export SECRET_KEY="$({_MAKE})"',
                code="DJN-740",
            ) from error
    return (_read(path) or make_secret()).strip()


def _read(path: Path) -> str | None:
    """Return the secret in the file; a file that was damaged is removed."""
    try:
        with path.open("rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
                os.fchmod(file.fileno(), 0o600)
            text = file.read(1024).decode("ascii", "replace").strip()
    except OSError:
        return None
    try:
        KeyRing(text)
    except WeakSecret:
        path.unlink(missing_ok=True)
        return None
    return text


def _write_once(path: Path, secret: str) -> None:
    """Write the file whole or not at all; of several processes that start together the first one wins."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret + "\n")
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
