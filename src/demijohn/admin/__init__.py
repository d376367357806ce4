"""The admin: all models of an app, to be looked at and changed by its staff.

```python notest
from demijohn.admin import Admin, ModelAdmin

admin = app.use(Admin())


@admin.register(Post)
class PostAdmin(ModelAdmin):
    list_display = ["title", "author", "published", "created_at"]
    search_fields = ["title", "body"]
    list_filter = ["published", "author"]
```
"""

from demijohn.admin.access import Access
from demijohn.admin.battery import Admin
from demijohn.admin.filters import (
    BooleanFilter,
    ChoiceFilter,
    DateFilter,
    Filter,
    NullFilter,
    RelationFilter,
    ValuesFilter,
)
from demijohn.admin.inlines import Inline, StackedInline, TabularInline
from demijohn.admin.models import LogEntry
from demijohn.admin.options import ModelAdmin, action, display
from demijohn.admin.people import GroupAdmin, LogAdmin, UserAdmin
from demijohn.schema import Choice

__all__ = [
    "Access",
    "Admin",
    "BooleanFilter",
    "Choice",
    "ChoiceFilter",
    "DateFilter",
    "Filter",
    "GroupAdmin",
    "Inline",
    "LogAdmin",
    "LogEntry",
    "ModelAdmin",
    "NullFilter",
    "RelationFilter",
    "StackedInline",
    "TabularInline",
    "UserAdmin",
    "ValuesFilter",
    "action",
    "display",
]
