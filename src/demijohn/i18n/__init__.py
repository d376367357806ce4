"""Several languages: texts, formats and time zones by visitor.

```python
from demijohn import App
from demijohn.i18n import Translations, gettext as _

app = App()
app.use(Translations(["en", "de"]))

@app.get("/")
def home():
    return _("Hello, World!")
```

`demijohn messages extract`, `update` and `compile` keep the catalogs; `demijohn check` tells what they lack.
"""

from demijohn._lib.translation import (
    gettext,
    gettext_lazy,
    gettext_noop,
    ngettext,
    ngettext_lazy,
    npgettext,
    npgettext_lazy,
    pgettext,
    pgettext_lazy,
)
from demijohn.i18n.battery import Translations
from demijohn.i18n.formats import (
    format_currency,
    format_date,
    format_datetime,
    format_decimal,
    format_list,
    format_percent,
    format_relative,
    format_time,
    format_timedelta,
    parse_date,
    parse_decimal,
    to_local,
)
from demijohn.i18n.links import hreflang, language_url, languages
from demijohn.i18n.locales import LanguageChoice
from demijohn.i18n.prefixes import Prefix
from demijohn.i18n.present import (
    activate,
    activate_timezone,
    get_language,
    get_locale,
    get_timezone,
    language,
    timezone,
)

__all__ = [
    "LanguageChoice",
    "Prefix",
    "Translations",
    "activate",
    "activate_timezone",
    "format_currency",
    "format_date",
    "format_datetime",
    "format_decimal",
    "format_list",
    "format_percent",
    "format_relative",
    "format_time",
    "format_timedelta",
    "get_language",
    "get_locale",
    "get_timezone",
    "gettext",
    "gettext_lazy",
    "gettext_noop",
    "hreflang",
    "language",
    "language_url",
    "languages",
    "ngettext",
    "ngettext_lazy",
    "npgettext",
    "npgettext_lazy",
    "parse_date",
    "parse_decimal",
    "pgettext",
    "pgettext_lazy",
    "timezone",
    "to_local",
]
