"""The five workloads in Django, with the middleware that `startproject` writes (less what needs a database)."""

import json as codec
import os

from django import forms
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

settings.configure(
    SECRET_KEY=os.environ.get("SECRET_KEY", "only-for-a-benchmark-on-this-machine"),
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
)


class ItemForm(forms.Form):
    name = forms.CharField()
    price = forms.FloatField()
    quantity = forms.IntegerField()


class UserForm(forms.Form):
    q = forms.CharField()


@require_GET
def plain(request):
    return HttpResponse("Hello, World!", content_type="text/plain; charset=utf-8")


@require_GET
def json(request):
    return JsonResponse({"message": "Hello, World!", "ok": True, "count": 3})


@require_GET
def param(request, id):
    q = request.GET.get("q")
    if q is None:
        return JsonResponse({"q": "required"}, status=422)
    return JsonResponse({"id": id, "q": q})


@csrf_exempt
@require_POST
def post(request):
    form = ItemForm(codec.loads(request.body))
    if not form.is_valid():
        return JsonResponse(form.errors, status=422)
    return JsonResponse(form.cleaned_data)


urlpatterns = [
    path("", plain),
    path("json", json),
    path("users/<int:id>", param),
    path("items", post),
    path("def", plain),
]
app = get_wsgi_application()
