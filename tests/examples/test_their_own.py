"""The examples that bring tests: they are run as their users run them, by our plugin alone."""

import subprocess
import sys

import pytest

from tests.examples.conftest import EXAMPLES


@pytest.mark.parametrize("name", ["charter", "shop", "portfolio", "pages", "social", "business"])
def test_their_tests_pass(name: str) -> None:
    """Every test of an example passes, warnings as errors, with nothing configured."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(EXAMPLES.parent), "-W", "error",
         "-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:xdist", f"examples/{name}"],
        cwd=EXAMPLES.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
