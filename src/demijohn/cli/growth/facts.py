"""What an app is, told by itself in a process of its own: its routes, models, commands and folders."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from demijohn.cli.creating import ProjectError

__all__ = ["differences", "facts_of"]

COMPARED = ("routes", "models", "commands", "checks")


def facts_of(target: str, *, folder: Path, path: Path | None = None) -> dict[str, Any]:
    """Load an app in a process of its own and return what it is (Any: JSON).

    Args:
        target: The app.
        folder: Where it is loaded: settings and files are looked for there.
        path: Where its package lies, if not there.

    Raises:
        ProjectError: It cannot be loaded (DJN-664).
    """
    environment = {name: value for name, value in os.environ.items() if name != "DEMIJOHN_APP"}
    command = [sys.executable, "-P", "-B", "-m", "demijohn.cli.growth.facts", target, *([str(path)] if path else [])]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == 0:
        return dict(json.loads(done.stdout.rpartition("\n\0")[2]))
    told = done.stderr.strip().splitlines()
    raise ProjectError(
        f"{target} cannot be loaded: {told[-1] if told else 'it ended without a word'}",
        why="What it does is compared before and after.\n" + "\n".join(f"    {line}" for line in told[-12:-1]),
        fix="Nothing was changed; look at what would be written:  demijohn grow --dry-run --diff"
        if path
        else f"See that this works first:  demijohn routes {target}",
        code="DJN-664",
    )


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return what two apps have not in common, as lines of a diff (Any: JSON)."""
    found: list[str] = []
    for key in COMPARED:
        old, new = list(before[key]), list(after[key])
        found += [f"- {line}" for line in _left(old, new)]
        found += [f"+ {line}" for line in _left(new, old)]
    return found


def _left(these: list[str], others: list[str]) -> list[str]:
    rest = list(others)
    left: list[str] = []
    for one in these:
        if one in rest:
            rest.remove(one)
        else:
            left.append(one)
    return left


def _tell(target: str) -> dict[str, Any]:
    from demijohn.cli.target import load_app

    app = load_app(target)
    app.freeze()
    checks = app.run_checks()
    models = {name: value for offer in app.shell_names.values() for name, value in offer().items()}
    folders = [folder for one in app.scaffolds() for folder in (one.template_folder, one.static_folder) if folder]
    folders += [fallback.assets.folder for fallback in app.fallbacks]
    for battery in app.batteries.values():
        folder = getattr(battery, "folder", None)
        if isinstance(folder, str | Path):
            folders.append(app.root_path / folder)
    folders += [app.root_path / name for name in ("migrations", "seeds.py", ".demijohn")]
    routes = [
        " ".join(
            filter(None, (",".join(route.methods), f"{route.host or ''}{route.pattern}", route.name, _options(route)))
        )
        for route in app.router.routes
    ]
    return {
        "routes": sorted(routes),
        "models": sorted(f"{name} ({getattr(model, '__tablename__', '?')})" for name, model in models.items()),
        "commands": sorted(
            f"demijohn {name or getattr(function, 'name', '') or function.__name__}"
            for name, function in app.all_commands()
        ),
        "checks": sorted(f"{message.level}: {message.id}" for message in checks),
        "root": str(app.root_path),
        "folders": sorted(
            {
                str(folder.relative_to(app.root_path))
                for folder in map(Path, folders)
                if folder.is_relative_to(app.root_path) and folder != app.root_path and folder.exists()
            }
        ),
        "batteries": sorted(app.batteries),
    }


def _options(route: Any) -> str:
    told: list[str] = []
    for method, detail in route.details.items():
        formats = [one.name for one in detail.formats]
        parts = [
            str(detail.status or ""),
            " ".join(formats),
            " ".join(f"{key}={detail.options[key]}" for key in detail.options),
        ]
        if any(parts):
            told.append(" ".join(filter(None, (method, *parts))))
    return f"({', '.join(told)})" if told else ""


if __name__ == "__main__":
    sys.path[:0] = [*sys.argv[2:], os.getcwd()]
    sys.stdout.write("\n\0" + json.dumps(_tell(sys.argv[1])))
