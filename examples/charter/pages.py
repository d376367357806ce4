"""Pages, templates, one handler for every format: program 2.2 of the charter, with a list in place of the query."""

from dataclasses import dataclass

from demijohn import App, Page, flash, html, redirect, url_for

app = App()


@dataclass
class Post:
    id: int
    title: str


POSTS = [Post(1, "Glass & cork"), Post(2, "How large is <large>?")]


@app.get("/posts", name="posts", formats=["html", "json", "csv"])
async def posts(page: int = 1):
    posts = POSTS[(page - 1) * 10 : page * 10]
    return Page("posts/list.html#rows", posts=posts)


@app.post("/posts", name="add")
def add():
    POSTS.append(Post(len(POSTS) + 1, "One more"))
    flash("Saved")
    return redirect(url_for("posts"))


@app.get("/greeting")
def greeting(name: str = "you"):
    return html("<b>{}</b>", name)
