"""The value of a name that was not given: it may be tested, and nothing else."""

import os
import sys
from types import FrameType
from typing import Any, Final, NoReturn

import jinja2
from jinja2.runtime import Undefined as JinjaUndefined
from jinja2.utils import internalcode, missing

__all__ = ["StrictUndefined", "Undefined", "UndefinedUse"]

_OURS: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class UndefinedUse(jinja2.UndefinedError):
    """An undefined value was used; it carries the value, so that the message can name it."""

    def __init__(self, message: str, undefined: "Undefined") -> None:
        super().__init__(message)
        self.undefined = undefined


class Undefined(JinjaUndefined):
    """What a template sees for a name or an attribute that is not there.

    `if`, `not`, `and`, `or`, `is defined` and the `default` filter take it. Printing it, iterating it, comparing it,
    calling it and reading its attributes raise.
    """

    __slots__ = ()

    @internalcode
    def _fail_with_undefined_error(self, *args: Any, **kwargs: Any) -> NoReturn:
        if self._undefined_exception is not jinja2.UndefinedError:
            raise self._undefined_exception(self._undefined_message)
        raise UndefinedUse(self._undefined_message, self)

    @property
    def missing_name(self) -> str | None:
        """Return the name as it stands in the template."""
        return self._undefined_name

    @property
    def owner(self) -> Any:
        """Return the object without the attribute (Any), or `missing` for a name."""
        return self._undefined_obj

    @property
    def is_name(self) -> bool:
        """Whether a plain name was not given, rather than an attribute of something."""
        return self._undefined_obj is missing and self._undefined_hint is None

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"Undefined({self._undefined_name!r})"

    # Jinja2 declares each of these with the signature of the value it would return.
    __str__ = __iter__ = __len__ = _fail_with_undefined_error
    __eq__ = __ne__ = __hash__ = _fail_with_undefined_error
    __contains__ = __aiter__ = __index__ = __round__ = _fail_with_undefined_error
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _fail_with_undefined_error
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _fail_with_undefined_error
    __pow__ = __rpow__ = __pos__ = __neg__ = __lt__ = __le__ = __gt__ = __ge__ = _fail_with_undefined_error
    __int__ = __float__ = __complex__ = __call__ = __getitem__ = _fail_with_undefined_error


class StrictUndefined(Undefined):
    """What a template of a strict app sees: `is defined` and `default` take it, `if` does not.

    `{% if usr %}` is then never a spelling mistake. Templates that come with the framework are left alone.
    """

    __slots__ = ()

    @internalcode
    def __bool__(self) -> bool:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and "blocks" not in frame.f_globals:
            frame = frame.f_back
        if frame is not None and frame.f_code.co_filename.startswith(_OURS):
            return False
        return self._fail_with_undefined_error()
