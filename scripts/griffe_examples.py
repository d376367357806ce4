"""For the reference: `Example:` in a docstring is read as the section that Griffe knows as `Examples:`."""

import re
from typing import Any

from griffe import Docstring, Extension

_HEADING = re.compile(r"^([ \t]*)Example:[ \t]*$", re.MULTILINE)


class ExampleSections(Extension):
    """Renames the heading while the package is read, so that examples are shown as code."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Look at one object of the package."""
        docstring: Docstring | None = obj.docstring
        if docstring is not None:
            docstring.value = _HEADING.sub(r"\1Examples:", docstring.value)
