"""Where the secret comes from: settings in production, a file of its own in development."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from demijohn.errors import ConfigurationError
from demijohn.middleware import get_keys
from demijohn.middleware.secret import SECRET_FILE, make_secret
from tests.middleware.conftest import SECRET


def test_a_configured_secret_is_used(tmp_path: Path) -> None:
    """What is configured is taken, in development too, and no file is made."""
    for production in (True, False):
        keys = get_keys(SECRET, production=production, directory=tmp_path)
        assert keys.key("x") == get_keys([SECRET, make_secret()], production=True).key("x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("configured", [None, "", []])
def test_production_needs_one(configured: str | list[str] | None, tmp_path: Path) -> None:
    """Without a secret production says how to make one, and makes none."""
    with pytest.raises(ConfigurationError, match="token_urlsafe") as caught:
        get_keys(configured, production=True, directory=tmp_path)
    assert caught.value.code == "DJN-740"
    assert list(tmp_path.iterdir()) == []


def test_a_weak_secret_is_refused_and_not_shown() -> None:
    """A short secret is refused in development too, and the message does not hold it."""
    for production in (True, False):
        with pytest.raises(ConfigurationError, match="6 bytes") as caught:
            get_keys("hunter", production=production)
        assert "hunter" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_development_makes_one_and_keeps_it(tmp_path: Path) -> None:
    """The first run makes a secret that only its owner can read and git does not see; later runs have the same."""
    first = get_keys(None, production=False, directory=tmp_path)
    path = tmp_path / SECRET_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (path.parent / ".gitignore").read_text() == "*\n"
    assert get_keys(None, production=False, directory=tmp_path).key("x") == first.key("x")
    assert sorted(entry.name for entry in path.parent.iterdir()) == [".gitignore", "secret_key"]


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    """Of many that look for a secret at once, all end up with the same."""
    with ThreadPoolExecutor(16) as pool:
        rings = list(pool.map(lambda _: get_keys(None, production=False, directory=tmp_path), range(64)))
    assert len({ring.key("x") for ring in rings}) == 1


def test_a_file_that_others_can_read_is_closed(tmp_path: Path) -> None:
    """A file that came with wider rights, by a copy or a checkout, gets its own again."""
    keys = get_keys(None, production=False, directory=tmp_path)
    path = tmp_path / SECRET_FILE
    path.chmod(0o644)
    assert get_keys(None, production=False, directory=tmp_path).key("x") == keys.key("x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"short", b"a" * 64, b"\xff\xfe\x00"])
def test_a_damaged_file_is_replaced(content: bytes, tmp_path: Path) -> None:
    """A file that holds no secret is replaced by one that does."""
    path = tmp_path / SECRET_FILE
    path.parent.mkdir()
    path.write_bytes(content)
    keys = get_keys(None, production=False, directory=tmp_path)
    assert get_keys(None, production=False, directory=tmp_path).key("x") == keys.key("x")
    assert path.read_bytes() != content


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Where the file cannot be kept, the error says what to do instead."""
    (tmp_path / ".demijohn").write_text("a file in the way")
    with pytest.raises(ConfigurationError, match="cannot be kept"):
        get_keys(None, production=False, directory=tmp_path)


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where hard links are not possible the secret is written all the same."""

    def refuse(*arguments: object) -> None:
        raise OSError("not here")

    monkeypatch.setattr(os, "link", refuse)
    keys = get_keys(None, production=False, directory=tmp_path)
    assert get_keys(None, production=False, directory=tmp_path).key("x") == keys.key("x")
