"""The app under test, found as the command line finds it."""

from contextlib import chdir
from pathlib import Path

from demijohn.app import App
from demijohn.cli.target import TargetError, load_app

__all__ = ["get_app"]


def get_app(root: Path | None = None) -> App:
    """Return the app that `demijohn run` would serve, here or in the folder of the project.

    Raises:
        TargetError: There is none.
    """
    try:
        return load_app()
    except TargetError as error:
        if root is None or error.code != "DJN-600" or root == Path.cwd():
            raise
    with chdir(root):
        return load_app()
