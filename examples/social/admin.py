"""How the administration shows the models: what moderators do is here."""

from demijohn.admin import Admin, ModelAdmin, TabularInline, action, display
from demijohn.db import QuerySet, now

from .models import Block, Comment, Follow, Like, Notification, Post, Report, User


class ReportAdmin(ModelAdmin):
    """Reports: looked at, and closed; nobody writes one here."""

    list_display = ["post", "post__author", "reporter", "reason", "note", "created_at", "closed_at"]
    list_filter = ["reason", "closed_at", "created_at"]
    search_fields = ["note", "post__text", "post__author__handle"]
    ordering = ["closed_at", "-created_at"]
    readonly_fields = ["post", "reporter", "reason", "note"]
    actions = ["take_down", "close"]

    def has_add_permission(self, user, obj=None):
        return False

    @action(label="Take the posts down", permission="report.moderate", confirm="Nobody will see them any more.")
    async def take_down(self, reports: QuerySet[Report]):
        ids = await reports.scalars(Report.post_id).all()
        count = await Post.where(Post.id.in_(ids)).update(hidden=True)
        await Report.where(Report.post_id.in_(ids), closed_at=None).update(closed_at=now())
        return f"{count} posts taken down."

    @action(label="Close: nothing wrong", permission="report.moderate")
    async def close(self, reports: QuerySet[Report]):
        return f"{await reports.update(closed_at=now())} reports closed."


class CommentInline(TabularInline):
    """The answers to a post."""

    model = Comment
    fields = ["author", "text"]
    extra = 0


class PostAdmin(ModelAdmin):
    """Posts, with how many reports are open."""

    list_display = ["__str__", "author", "hidden", "open_reports", "created_at"]
    list_filter = ["hidden", "created_at"]
    search_fields = ["text", "author__handle"]
    date_hierarchy = "created_at"
    inlines = [CommentInline]

    @display(label="Open reports")
    def open_reports(self, post):
        return sum(report.closed_at is None for report in post.reports)


class UserAdmin(ModelAdmin):
    """People."""

    list_display = ["handle", "display_name", "email", "is_active", "is_private", "created_at"]
    list_filter = ["is_active", "is_private", "is_staff", "created_at"]
    search_fields = ["handle", "display_name", "email"]


def register(admin: Admin) -> None:
    """Say how the models are shown."""
    admin.register(Report)(ReportAdmin)
    admin.register(Post)(PostAdmin)
    admin.register(User)(UserAdmin)
    for model in (Block, Follow, Like, Notification):
        admin.unregister(model)
