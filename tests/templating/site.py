"""A small site whose handlers the checks read; its templates are written by the tests."""

from typing import Any

from demijohn import App, Blueprint, Page


def make_site() -> App:
    """An app, a blueprint, and handlers that render templates rightly and wrongly."""
    app = App(debug=True)
    blog = Blueprint("blog", templates="blog_templates")

    @app.get("/")
    def home() -> Any:
        return Page("home.html", title="Home")

    @app.get("/rows", name="rows")
    def rows() -> Any:
        return Page("list.html#rows", posts=[])

    @app.get("/posts/{id:int}", name="post")
    def post(id: int) -> Any:
        return Page("show.html", post=id, more=1)

    @app.get("/extended")
    def extended() -> Any:
        return Page("show.html").with_context({"post": 1})

    @blog.get("/about", name="about")
    def about() -> Any:
        return Page("about.html")

    @app.context_processor
    def everywhere() -> dict[str, Any]:
        return {"site": "S", "user": None}

    app.include(blog, prefix="/blog")
    return app
