"""Links that open a line in the developer's editor."""

import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

__all__ = ["Editor"]

_KNOWN: Final = {
    "vscode": "vscode://file/{file}:{line}",
    "code": "vscode://file/{file}:{line}",
    "vscode-insiders": "vscode-insiders://file/{file}:{line}",
    "vscodium": "vscodium://file/{file}:{line}",
    "cursor": "cursor://file/{file}:{line}",
    "windsurf": "windsurf://file/{file}:{line}",
    "zed": "zed://file/{file}:{line}",
    "pycharm": "pycharm://open?file={file}&line={line}",
    "idea": "idea://open?file={file}&line={line}",
    "sublime": "subl://open?url=file://{file}&line={line}",
    "textmate": "txmt://open?url=file://{file}&line={line}",
    "macvim": "mvim://open?url=file://{file}&line={line}",
    "emacs": "emacs://open?url=file://{file}&line={line}",
    "nova": "nova://open?path={file}&line={line}",
}
_REFUSED: Final = ("javascript:", "data:", "vbscript:", "blob:")


class Editor:
    """The editor that `DEMIJOHN_EDITOR` names, and how paths of this machine are called on the developer's.

    `DEMIJOHN_EDITOR` is a name (`vscode`, `cursor`, `zed`, `pycharm`, `sublime`, ...) or a URL with `{file}` and
    `{line}`, or `__FILE__` and `__LINE__`. `DEMIJOHN_EDITOR_PATHS=/app=/home/ann/shop` maps folders, several with `;`.

    Args:
        environment: Where the variables are.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        named = environment.get("DEMIJOHN_EDITOR", "").strip()
        template = _KNOWN.get(named.lower(), named).replace("__FILE__", "{file}").replace("__LINE__", "{line}")
        usable = "{file}" in template and not template.lower().lstrip().startswith(_REFUSED)
        self.template = template if usable else ""
        self.paths: list[tuple[str, str]] = []
        for pair in environment.get("DEMIJOHN_EDITOR_PATHS", "").split(";"):
            here, sign, there = pair.partition("=")
            if sign and here:
                self.paths.append((here.rstrip("/\\"), there.rstrip("/\\")))

    def link(self, file: str, line: int) -> str:
        """Return the URL that opens a line, or an empty text where there is no editor or no file.

        Example:
            >>> Editor({"DEMIJOHN_EDITOR": "zed", "DEMIJOHN_EDITOR_PATHS": "/app=/home/ann"}).link("/app/x.py", 7)
            'zed://file//home/ann/x.py:7'
        """
        if not self.template or file.startswith("<"):
            return ""
        path = os.path.abspath(file)
        for here, there in self.paths:
            if path == here or path.startswith((here + "/", here + "\\")):
                path = there + path[len(here) :]
                break
        return self.template.replace("{file}", quote(path, safe="/:\\")).replace("{line}", str(line))
