"""What a request is about: who sent it, and the object of a key in its path."""

from collections.abc import Sequence
from typing import Any

from demijohn._lib.translation import gettext as _
from demijohn.admin.access import Visit
from demijohn.admin.database import have_keys
from demijohn.admin.naming import NoSuchKey, key_names, key_of, read_key
from demijohn.admin.options import ModelAdmin
from demijohn.errors import NotFound
from demijohn.http import Request, StateKey

__all__ = ["existing", "get_object", "visit_key", "visit_of", "with_keys"]

visit_key = StateKey[Visit]("admin")


def visit_of(request: Request) -> Visit:
    """Return the visit that was noted when the request came in."""
    return visit_key.get(request)


def with_keys(admin: ModelAdmin, query: Any, keys: Sequence[tuple[Any, ...]]) -> Any:
    """Return a query for the objects with some keys (Any: a query of the model, and values of its key)."""
    return query.where(have_keys([getattr(admin.model, name) for name in key_names(admin.model)], keys))


async def get_object(visit: Visit, admin: ModelAdmin, text: str, *, lock: bool = False) -> Any:
    """Return the object of a key in a path, if it exists for the user (Any: of the model).

    Raises:
        NotFound: It does not.
    """
    try:
        key = read_key(admin.model, text)
    except NoSuchKey:
        raise NotFound(_("There is no such page.")) from None
    query = with_keys(admin, admin.query(visit.user), [key])
    found = await (query.for_update(of=admin.model) if lock else query).one_or_none()
    if found is None:
        raise NotFound(_("There is no such object; it may have been deleted."))
    return found


async def existing(visit: Visit, admin: ModelAdmin, objects: Sequence[Any]) -> Sequence[Any]:
    """Return those objects that exist for a user (Any: of the model)."""
    if not objects or type(admin).query is ModelAdmin.query:
        return objects
    found = await with_keys(admin, admin.query(visit.user), [key_of(one) for one in objects]).all()
    keys = {key_of(one) for one in found}
    return [one for one in objects if key_of(one) in keys]
