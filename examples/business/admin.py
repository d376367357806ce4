"""How the administration shows the models."""

from demijohn.admin import Admin, ModelAdmin, TabularInline

from .models import Counter, Customer, Event, Invoice, Line, State


class LineInline(TabularInline):
    """The lines of an invoice."""

    model = Line
    fields = ["text", "quantity", "price", "vat"]
    extra = 1


class InvoiceAdmin(ModelAdmin):
    """Invoices: what was issued is only read."""

    list_display = ["__str__", "customer", "title", "state", "issued_on", "total"]
    list_filter = ["state", "issued_on", "customer"]
    search_fields = ["=number", "title", "customer__name"]
    date_hierarchy = "issued_on"
    inlines = [LineInline]

    def has_change_permission(self, user, obj=None):
        return super().has_change_permission(user, obj) and (obj is None or obj.state is State.OFFER)


class CustomerAdmin(ModelAdmin):
    """Customers."""

    list_display = ["name", "city", "email", "language"]
    search_fields = ["name", "city", "email"]
    list_filter = ["language"]


class EventAdmin(ModelAdmin):
    """What was done: only read."""

    list_display = ["at", "invoice", "user", "what"]
    list_filter = ["user", "at"]

    def has_add_permission(self, user, obj=None):
        return False

    def has_change_permission(self, user, obj=None):
        return False

    def has_delete_permission(self, user, obj=None):
        return False


def register(admin: Admin) -> None:
    """Say how the models are shown."""
    admin.register(Invoice)(InvoiceAdmin)
    admin.register(Customer)(CustomerAdmin)
    admin.register(Event)(EventAdmin)
    admin.unregister(Line)
    admin.unregister(Counter)
