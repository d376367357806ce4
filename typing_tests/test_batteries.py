"""`app.use` takes every battery and returns it by its class."""

from typing import assert_type

from demijohn import App
from demijohn.admin import Admin
from demijohn.forms import Forms
from demijohn.i18n import Translations
from demijohn.mail import Mail
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
