"""Commands in tests: called as the command line calls them, with what they print."""

import asyncio
from dataclasses import dataclass
from typing import Any

from demijohn.cli.target import using
from demijohn.testing.portal import WrongThread

__all__ = ["CommandResult", "CommandRunner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """What became of a command."""

    exit_code: int
    output: str
    """What it printed, on both streams."""
    stdout: str
    stderr: str
    exception: BaseException | None = None
    """What it raised, other than a tidy exit."""


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class CommandRunner:
    """Runs commands of the framework and of the app under test.

    Args:
        app: The app that the commands work on (Any: an `App`).

    Example::

        def test_routes(cli):
            assert "/posts" in cli("routes").output
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, *arguments: str, input: str | None = None, check: bool = True) -> CommandResult:  # noqa: A002
        """Run a command: `cli("greet", "Ann", "--loud")`.

        Args:
            arguments: The words behind `demijohn`.
            input: What is typed.
            check: Raise what the command raises; and AssertionError where it ends with an error.

        Raises:
            WrongThread: An async test called it without a thread.
            Exception: Whatever the command raises.
            AssertionError: It ended with another code than 0.
        """
        from click.testing import CliRunner

        from demijohn.cli import cli

        loop = getattr(self.app, "loop", None)
        if loop is not None and loop is _running_loop():
            words = ", ".join(map(repr, arguments))
            raise WrongThread(
                f"The command {' '.join(arguments)!r} was called on the event loop that it would wait for.",
                why="A command is sync code, and an async test runs on the loop of the app.",
                fix=f"await asyncio.to_thread(cli, {words})   or a `def` test, which may `wait`",
            )
        with using(self.app):
            result = CliRunner().invoke(cli, list(arguments), input=input, prog_name="demijohn")
        failure = None if isinstance(result.exception, SystemExit) else result.exception
        if check and failure is not None:
            raise failure
        if check and result.exit_code != 0:
            raise AssertionError(f"`demijohn {' '.join(arguments)}` ended with {result.exit_code}:\n{result.output}")
        return CommandResult(
            exit_code=result.exit_code,
            output=result.output,
            stdout=result.stdout,
            stderr=result.stderr,
            exception=failure,
        )
