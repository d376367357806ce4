"""How the newsroom looks in the admin."""

from demijohn.admin import ModelAdmin, TabularInline, action
from demijohn.db import now
from examples.newsroom.app import admin
from examples.newsroom.models import Article, Comment, Section, Status


class CommentInline(TabularInline):
    model = Comment
    fields = ("author", "text")
    extra = 0


@action(label="Publish", permission="article.publish", confirm=True)
async def publish(articles):
    """Publish the chosen articles."""
    count = await articles.update(status=Status.PUBLISHED, published_at=now())
    return f"{count} published."


@admin.register(Article)
class ArticleAdmin(ModelAdmin):
    list_display = ("title", "section", "author", "status", "published_at")
    list_filter = ("status", "section", "author")
    search_fields = ("title", "summary", "body")
    date_hierarchy = "published_at"
    prepopulated_fields = {"slug": ("title",)}
    inlines = (CommentInline,)
    actions = (publish,)


@admin.register(Section)
class SectionAdmin(ModelAdmin):
    list_display = ("name", "slug", "position")
    list_editable = ("position",)
