"""Runs the code of a documentation page as a reader would type it: block by block, in one folder, in a fresh process.

* A `python` block is executed in the namespace of its page; `await` at its top is fine. `python {notest="why"}` is only
  read: in that form the site shows it as code, and takes what follows for text again.
* A block whose first line is `# file: name` (`<!-- file: name -->`, `{# file: name #}`, ...) is written to that file. A
  Python file beside the others is imported at once, and the page may use its names; one in a folder is imported when
  something asks for it, at the end of the page at the latest. Test files are given to pytest at the end.
* A `console` block is followed as far as it calls `demijohn` or `python` with a command that ends by itself; where the
  block shows output, the command must give it (`...` stands for anything). `console {notest="why"}` is only read.
* `<!-- fresh -->` on a line of its own begins a new process and a new namespace, in the same folder.
"""

import ast
import asyncio
import contextlib
import doctest
import importlib
import inspect
import io
import os
import re
import shlex
import subprocess
import sys
import textwrap
import traceback
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

__all__ = ["Block", "blocks_of", "run_page"]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL)
_INFO = re.compile(r'(?P<language>[\w+-]*)(?: \{notest="(?P<reason>[^"]+)"\})?')
_FRESH = re.compile(r"^<!-- fresh -->$", re.MULTILINE)
_FILE = re.compile(r"^\s*(?:#|//|--|<!--|\{#|/\*)\s*file:\s*(?P<name>[\w./-]+)")
_ENDLESS = {"run", "serve", "shell", "worker", "dev"}
_CHECK = doctest.OutputChecker()
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, the words after it, its text, its first line in the page, its process."""

    language: str
    words: tuple[str, ...]
    body: str
    line: int
    process: int

    @property
    def file(self) -> str | None:
        """The name of the file that the block is, or `None`."""
        match = _FILE.match(self.body)
        return match["name"] if match else None

    @property
    def runs(self) -> bool:
        """Whether anything is done with the block."""
        if "notest" in self.words:
            return False
        return self.language in {"python", "console"} or self.file is not None


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text()
    fresh = [match.start() for match in _FRESH.finditer(text)]
    found = []
    for match in _FENCE.finditer(text):
        info = _INFO.fullmatch(match["info"])
        assert info, f"{page}: ```{match['info']} is no language with at most one reason not to run the block"
        language, words = info["language"], ["notest"] if info["reason"] else []
        line = text.count("\n", 0, match.start()) + 2
        body = textwrap.dedent(match["body"])
        found.append(Block(language, tuple(words), body, line, sum(start < match.start() for start in fresh)))
    return found


def run_page(page: Path, process: int, folder: Path, answer: Connection) -> None:
    """Run the blocks of one process of a page; send the text of what went wrong, or `""`. Runs in a child process."""
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            os.chdir(folder)
            sys.path.insert(0, str(folder))
            warnings.simplefilter("error")
            _Runner(page, folder).run([block for block in blocks_of(page) if block.process == process and block.runs])
    except BaseException:
        answer.send(f"{traceback.format_exc()}\n{output.getvalue()[-4000:]}")
    else:
        answer.send("")


class _Runner:
    def __init__(self, page: Path, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self.module = types.ModuleType("page")
        sys.modules["page"] = self.module
        self.later: list[str] = []
        self.tests: list[str] = []

    def run(self, blocks: list[Block]) -> None:
        """Run them in order, in one event loop, then what was left for the end."""
        with asyncio.Runner() as loop:
            for block in blocks:
                if block.file is not None:
                    self.write(block)
                elif block.language == "python":
                    code = compile(
                        "\n" * (block.line - 1) + block.body, str(self.page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
                    )
                    result = eval(code, self.module.__dict__)
                    if inspect.iscoroutine(result):
                        loop.run(result)
                else:
                    self.follow(block)
            for name in self.later:
                importlib.import_module(name)
        # A command of the page may have moved them: `demijohn grow` does.
        tests = [name if (self.folder / name).exists() else f"tests/{name}" for name in self.tests]
        if tests:
            pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
            _command([*pytest, *tests], self.folder, where="its tests")

    def write(self, block: Block) -> None:
        """Write the file that a block is, and import it where it is a module beside the others."""
        path = self.folder / str(block.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.body if path.suffix == ".py" else block.body.partition("\n")[2])
        if path.suffix != ".py":
            return
        compile(block.body, str(self.page), "exec")
        parts = path.relative_to(self.folder).with_suffix("").parts
        if parts[-1].startswith("test_"):
            self.tests.append(str(path.relative_to(self.folder)))
        elif all(part.isidentifier() for part in parts) and parts[-1] not in {"conftest", "__main__"}:
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            if len(parts) > 1:
                self.later.append(name)
                return
            sys.modules.pop(name, None)
            importlib.invalidate_caches()
            for public, value in vars(importlib.import_module(name)).items():
                if not public.startswith("__"):
                    self.module.__dict__[public] = value

    def follow(self, block: Block) -> None:
        """Type the commands of a console block that end by themselves."""
        for command, expected in _commands(block.body):
            words = shlex.split(command)
            if words[0] == "python" and words[1:3] not in (["-m", "venv"], ["-m", "pip"]):
                program = [sys.executable, *words[1:]]
            elif words[0] == "demijohn" and not _ENDLESS & set(words[1:3]):
                program = [str(Path(sys.executable).with_name("demijohn")), *words[1:]]
            else:
                continue
            given = _command(program, self.folder, where=f"line {block.line}, $ {command}")
            if expected.strip() and not _CHECK.check_output(expected, given, _FLAGS):
                example = doctest.Example(command, expected)
                raise AssertionError(f"$ {command}\n{_CHECK.output_difference(example, given, _FLAGS)}")


def _commands(body: str) -> Iterator[tuple[str, str]]:
    """Each `$ command` of a console block with the output shown below it."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, expected = part.replace("\\\n", " ").partition("\n")
        yield command, expected


def _command(command: list[str], folder: Path, *, where: str) -> str:
    environment = os.environ | {"NO_COLOR": "1", "COLUMNS": "120", "TERM": "dumb"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=90, check=False)
    if done.returncode:
        raise AssertionError(f"{where}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout
