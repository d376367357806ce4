"""The news: pages for readers, drafts for those who write, and the same handlers as an API."""

from typing import Annotated

from demijohn import Blueprint, Fields, Page, Request, flash, redirect, url_for
from demijohn.auth import requires
from demijohn.db import now
from demijohn.errors import NotFound
from demijohn.forms import ModelForm
from demijohn.http import Feed, FeedItem
from demijohn.i18n import gettext as _
from examples.newsroom.models import Article, Comment, Section, Status, User

news = Blueprint("news", prefix="/news")


@news.context_processor
async def sections():
    """Every page of the news shows the sections."""
    return {"sections": await Section.query().all()}


@news.get("", name="index", formats=["html", "json", "xml", "csv", "yaml"])
async def index(page: int = 1, q: str = ""):
    """The newest articles, searched by a word of the title."""
    articles = Article.public()
    if q:
        articles = articles.where(Article.title.icontains(q, autoescape=True))
    found = await articles.paginate(page, per_page=6)
    return Page("news/index.html#list", articles=found, q=q)


@news.get("/section/{section:slug}", name="section", formats=["html", "json"])
async def of_section(section: Section, page: int = 1):
    found = await Article.public().where(Article.section == section).paginate(page, per_page=6)
    return Page("news/index.html#list", articles=found, q="", section=section)


@news.route("/{article:slug}", methods=["GET", "POST"], name="show")
async def show(article: Article, user: User | None, form: Annotated[ModelForm[Comment], Fields("text")]):
    is_insider = user is not None and (user is article.author or user.can("article.publish"))
    if article.status is not Status.PUBLISHED and not is_insider:
        raise NotFound
    if user is None and form.is_submitted:
        return redirect(f"/login?next={article.page_url()}")
    if user is not None and await form.save_if_valid(article=article, author=user):
        flash(_("Your comment is there."), "success")
        return redirect(article)
    comments = await Comment.where(Comment.article == article).order_by(Comment.written_at).all()
    return Page("news/show.html", article=article, comments=comments, form=form)


@news.get("/feed.xml", name="feed")
async def feed(request: Request):
    """The newest articles as Atom."""
    articles = await Article.public().limit(20).all()
    home = str(request.url.replace(path=url_for("news.index"), query="")) + "/"
    items = [
        FeedItem(
            title=article.title,
            link=f"{home}{article.slug}",
            published=article.published_at,
            summary=article.summary,
        )
        for article in articles
    ]
    return Feed(title="The Demijohn Post", link=home, items=items).atom()


desk = Blueprint("desk", prefix="/desk")


@desk.get("/", name="drafts")
@requires("article.add")
async def drafts(user: User):
    mine = await Article.where(Article.author == user).order_by(Article.created_at.desc()).all()
    waiting = await Article.where(Article.status == Status.REVIEW).all() if user.can("article.publish") else []
    return Page("news/drafts.html", mine=mine, waiting=waiting)


@desk.route("/new", methods=["GET", "POST"], name="write")
@requires("article.add")
async def write(
    form: Annotated[ModelForm[Article], Fields("title", "slug", "section", "summary", "body", "tags")], user: User
):
    if article := await form.save_if_valid(author=user, status=Status.REVIEW):
        flash(_("Saved. An editor will read it."), "success")
        return redirect(article)
    return Page("news/write.html", form=form)


@desk.post("/publish/{article:slug}", name="publish")
@requires("article.publish")
async def publish(article: Article, user: User):
    article.status = Status.PUBLISHED
    article.published_at = now()
    await article.save()
    flash(_("Published."), "success")
    return redirect(article)
