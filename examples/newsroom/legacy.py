"""Two sites of before, mounted as they are: one in Flask, one in Django."""

from typing import Any


def flask_site() -> Any:
    from flask import Flask

    old = Flask("archive")

    @old.get("/")
    def archive() -> str:
        return "<!doctype html><title>Archive</title><h1>The archive, on Flask</h1><p>It runs inside, unchanged.</p>"

    return old


def django_site() -> Any:
    import django
    from django.conf import settings
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    def letters(request: HttpRequest) -> HttpResponse:
        return HttpResponse(
            "<!doctype html><title>Letters</title><h1>Letters, on Django</h1><p>It runs inside, too.</p>"
        )

    if not settings.configured:
        settings.configure(ROOT_URLCONF=(path("", letters),), SECRET_KEY="only-for-the-demo", ALLOWED_HOSTS=["*"])
        django.setup()
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()
