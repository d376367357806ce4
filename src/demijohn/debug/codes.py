"""The page of an error code, as HTML: the same that `demijohn explain` prints."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from demijohn.debug.markup import escaped

__all__ = ["find_explanation"]

_FOLDER: Final = Path(__file__).parents[1] / "cli" / "explanations"
_CODE: Final = re.compile(r"DJN-\d{3}")
_INLINE: Final = re.compile(r"`([^`\n]+)`|\*\*([^*\n]+)\*\*|\[([^\]\n]+)\]\([^)\s]+\)")


@lru_cache(maxsize=32)
def find_explanation(code: str) -> str | None:
    """Return the page of a code as HTML without its title, or None where there is none."""
    if not _CODE.fullmatch(code):
        return None
    path = _FOLDER / f"{code}.md"
    if not path.is_file():
        return None
    return _html(path.read_text(encoding="utf-8").partition("\n")[2])


def _html(text: str) -> str:
    out: list[str] = []
    paragraph: list[str] = []
    items: list[str] = []

    def close() -> None:
        if paragraph:
            out.append(f"<p>{_inline(' '.join(paragraph))}</p>")
            paragraph.clear()
        if items:
            out.append("<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>")
            items.clear()

    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("```"):
            close()
            block = []
            for inner in lines:
                if inner.startswith("```"):
                    break
                block.append(inner)
            out.append(f"<pre class=block><code>{escaped(chr(10).join(block))}</code></pre>")
        elif line.startswith("#"):
            close()
            out.append(f"<h4>{_inline(line.lstrip('# '))}</h4>")
        elif line.startswith(("* ", "- ")):
            if paragraph:
                close()
            items.append(line[2:])
        elif not line.strip():
            close()
        elif items:
            items[-1] += " " + line.strip()
        else:
            paragraph.append(line.strip())
    close()
    return "".join(out)


def _inline(text: str) -> str:
    out = []
    last = 0
    for match in _INLINE.finditer(text):
        out.append(escaped(text[last : match.start()]))
        code, strong, link = match.groups()
        out.append(
            f"<code>{escaped(code)}</code>" if code else f"<b>{escaped(strong)}</b>" if strong else escaped(link)
        )
        last = match.end()
    return "".join([*out, escaped(text[last:])])
