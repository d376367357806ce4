"""Names that people bring from other frameworks, and what they are called here. There are no aliases."""

from typing import Final

__all__ = ["ATTRIBUTES", "IMPORTS", "translation"]

IMPORTS: Final = {
    # Flask
    "Flask": "from demijohn import App",
    "render_template": 'from demijohn import Page   and  return Page("posts/list.html", posts=posts)',
    "render_template_string": "from demijohn.templating import render_template_string",
    "jsonify": "return the dict, list or object itself; it becomes JSON",
    "make_response": "from demijohn import Response   or return (body, status, headers)",
    "request": "def handler(request: Request)   or  from demijohn import current  and  current.request",
    "session": "def handler(session: Session)  with  from demijohn.sessions import Session",
    "g": "from demijohn import current   and  current.g",
    "current_app": "from demijohn import current   and  current.app",
    "send_file": "from demijohn import FileResponse",
    "send_from_directory": "from demijohn import FileResponse   or a folder named `static` beside the app",
    "Markup": "from demijohn.http import Markup   or  html('<b>{}</b>', name)",
    "escape": "from demijohn import html   and  html('<b>{}</b>', name)",
    "stream_with_context": "yield from the handler: a generator keeps its context",
    "get_flashed_messages": "from demijohn.sessions import get_flashed_messages",
    "MethodView": "from demijohn import View",
    # Django
    "HttpResponse": "return the text itself, html(...) for HTML; or  from demijohn import Response",
    "JsonResponse": "return the dict itself; or  from demijohn import JSONResponse",
    "HttpResponseRedirect": "from demijohn import redirect",
    "Http404": "from demijohn import abort   and  abort(404)",
    "render": 'from demijohn import Page   and  return Page("posts/list.html", posts=posts)',
    "get_object_or_404": "await Post.get_or_404(id)   or take  post: Post  on the path {post}",
    "get_list_or_404": "await Post.where(...).all()   and  abort(404) where it is empty",
    "reverse": "from demijohn import url_for",
    "reverse_lazy": "from demijohn import url_for",
    "re_path": 'a typed pattern: "/posts/{slug}"; from demijohn import path',
    "include": "from demijohn import Blueprint   and  app.include(blueprint, prefix=...)",
    "models": "from demijohn.db import Model, Mapped, column",
    "messages": "from demijohn import flash",
    "login_required": "from demijohn.auth import login_required",
    "settings": "from demijohn import Settings",
    "timezone": "from datetime import datetime, UTC   and  datetime.now(UTC)",
    "TestCase": "from demijohn.testing import TestCase",
    # FastAPI and Starlette
    "FastAPI": "from demijohn import App",
    "APIRouter": "from demijohn import Blueprint",
    "HTTPException": "from demijohn import abort, HTTPError",
    "BackgroundTasks": "from demijohn import after_response   and  after_response(function)",
    "Security": "from demijohn.auth import login_required, requires",
    "StreamingResponse": "from demijohn import StreamResponse   or yield from the handler",
    "ORJSONResponse": "return the dict itself; JSON is written by msgspec",
    "Jinja2Templates": 'from demijohn import Page   and  return Page("posts/list.html", posts=posts)',
    "StaticFiles": "a folder named `static` beside the app",
    "BaseModel": "import msgspec   and  class Item(msgspec.Struct); pydantic models are taken too",
    "Model": "from demijohn.db import Model",
    "Session": "from demijohn.sessions import Session",
    "TestClient": "from demijohn.testing import TestClient",
}
"""What is imported from the root, with the line to write."""

ATTRIBUTES: Final = {
    "App": {
        "register_blueprint": "app.include(blueprint, prefix=...)",
        "include_router": "app.include(blueprint, prefix=...)",
        "run": "the command  demijohn run FILE",
        "config": "app.settings, or a class of your own: class Shop(Settings)",
        "url_map": "app.router.routes, or the command  demijohn routes",
        "add_url_rule": "app.add_route(pattern, function, methods=[...])",
        "exception_handler": "@app.errorhandler(ValueError)",
        "on_event": "@app.on_startup  and  @app.on_shutdown",
        "add_middleware": "@app.middleware",
        "teardown_appcontext": "@app.teardown_request",
        "before_first_request": "@app.on_startup",
        "app_context": "app.context()",
        "test_request_context": "app.context()",
        "test_client": "from demijohn.testing import TestClient   and  TestClient(app)",
        "cli": "@app.command()",
        "exception_handlers": "@app.errorhandler(ValueError)",
        "shell_context_processor": "app.shell_names.add(name, function)",
        "jinja_env": "app.templates, or  @app.template_filter()",
        "logger": "import logging   and  logging.getLogger(__name__)",
        "secret_key": "the setting SECRET_KEY",
        "dependency_overrides": "with app.override(Service, value=...)",
        "state": "app.provide(Service, value=...), and take it by annotation",
        "api_route": "@app.route(pattern, methods=[...])",
    },
    "Model": {
        "objects": "Post.where(...), Post.query(), Post.get(...)",
        "filter": "Post.where(Post.published)",
        "filter_by": "Post.where(slug=...)",
        "find_by": "Post.where(slug=...).first()",
        "session": "db.session, or await post.save()",
        "DoesNotExist": "await Post.get(...) returns None; Post.get_or_404(...) and .one() raise",
    },
}
"""Attributes by the class they are asked of, with the line to write."""


def translation(owner: str, name: str) -> str:
    """Return what an attribute of another framework is called here, or nothing."""
    return ATTRIBUTES.get(owner, {}).get(name, "")
