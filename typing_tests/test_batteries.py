"""`app.use` takes every battery and returns it by its class."""

from collections.abc import Callable
from typing import assert_type

from demijohn import App
from demijohn.admin import Admin
from demijohn.forms import Forms
from demijohn.i18n import Translations
from demijohn.mail import Mail
from demijohn.monitoring import Health
from demijohn.openapi import OpenAPI
from demijohn.sessions import Sessions
from demijohn.templating import Templates

app = App()
assert_type(app.use(Sessions()), Sessions)
assert_type(app.use(Templates()), Templates)
assert_type(app.use(Mail()), Mail)
assert_type(app.use(Forms()), Forms)
assert_type(app.use(Translations()), Translations)
assert_type(app.use(OpenAPI()), OpenAPI)
assert_type(app.use(Admin()), Admin)

# What is decorated stays what it is.
translations = Translations()
health = Health()


@translations.locale_selector
def language_of(name: str) -> str:
    return name


@translations.timezone_selector
async def zone_of(name: str) -> str | None:
    return name


@health.probe("disk")
def free_space() -> int:
    return 1


assert_type(language_of("ann"), str)
assert_type(free_space(), int)


async def zone() -> None:
    assert_type(await zone_of("ann"), str | None)


numbers: Callable[[str], int] = language_of  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
