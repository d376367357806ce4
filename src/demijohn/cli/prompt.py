"""`demijohn shell`: a prompt where `await` works and the app is loaded."""

import ast
import atexit
import code
import inspect
import sys
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import click

from demijohn.app import App, current, wait
from demijohn.cli.target import load_app

__all__ = ["shell"]


class _Console(code.InteractiveConsole):
    """Runs each line in one task on the loop, so that `await` works and one unit of work holds."""

    def __init__(self, names: dict[str, Any], app: App) -> None:
        super().__init__(names)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._app = app

    def runcode(self, code: CodeType) -> Any:
        """Run a compiled line; a coroutine is awaited on the app's loop."""
        function = FunctionType(code, self.locals)
        try:
            result = function()
            if inspect.iscoroutine(result):
                result = wait(result)
        except SystemExit:
            raise
        except BaseException:
            self.showtraceback()
            return None
        return result


@click.command()
@click.argument("target", required=False)
@click.option("-c", "--command", metavar="CODE", help="Run this code instead of a prompt.")
@click.option("--plain", is_flag=True, help="Python's own prompt, although IPython is there.")
def shell(target: str | None, command: str | None, plain: bool) -> None:
    """Open a Python prompt: the app is started, `await` works, and one unit of work is open.

    Nothing is kept unless you commit: leave the prompt normally and the unit of work is committed; leave it by an
    exception and it
    is rolled back.
    """
    app = load_app(target)
    with app.context():
        names: dict[str, Any] = {"app": app, "current": current, "wait": wait, "__name__": "__console__"}
        for offer in app.shell_names.values():
            names.update(offer())
        console = _Console(names, app)
        if command is not None:
            symbol = "exec"
            compiled = console.compile.compiler(command, "<command>", symbol)
            function = FunctionType(compiled, names)
            result = function()
            if inspect.iscoroutine(result):
                wait(result)
            return
        offered = ", ".join(name for name in names if not name.startswith("_"))
        if not plain and _ipython(names, offered):
            return
        _remember(names)
        console.interact(
            banner=f"Python {sys.version.split()[0]}, Demijohn. `await` works. Here: {offered}", exitmsg=""
        )


def _remember(names: dict[str, Any]) -> None:
    """Complete names, and keep what was typed for the next time."""
    try:
        import readline
        import rlcompleter
    except ImportError:
        return
    readline.set_completer(rlcompleter.Completer(names).complete)
    readline.parse_and_bind("tab: complete")
    history = Path.home() / ".demijohn_history"
    try:
        readline.read_history_file(history)
    except OSError:
        pass
    readline.set_history_length(2000)
    atexit.register(_keep, readline, history)


def _keep(readline: Any, history: Path) -> None:
    try:
        readline.write_history_file(history)
        history.chmod(0o600)  # secrets are typed too
    except OSError:
        pass


def _ipython(names: dict[str, Any], offered: str) -> bool:
    """Open IPython's prompt, and return whether it is there."""
    try:
        from IPython.terminal.embed import InteractiveShellEmbed  # noqa: T100  # pyright: ignore[reportMissingImports]
    except ImportError:
        return False

    def run(coroutine: Any) -> Any:
        return wait(coroutine)

    prompt = InteractiveShellEmbed(  # noqa: T100
        banner1=f"Demijohn. `await` works. Here: {offered}", user_ns=names
    )
    prompt.loop_runner = run
    prompt.autoawait = True
    prompt()
    return True
