"""Pages in Django: a template, a static file by whitenoise, a login form, an upload; sessions in signed cookies."""

import os
from dataclasses import dataclass
from pathlib import Path

from django import forms
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

HERE = Path(__file__).parent

settings.configure(
    SECRET_KEY=os.environ.get("SECRET_KEY", "only-for-a-benchmark-on-this-machine"),
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    STATIC_URL="static/",
    STATIC_ROOT=HERE / "static",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [HERE / "templates"]}],
    INSTALLED_APPS=["django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
)


@dataclass
class Fortune:
    id: int
    message: str


class LoginForm(forms.Form):
    name = forms.CharField()
    password = forms.CharField()


FORTUNES = [Fortune(number, f'fortune: <b>No. {number}</b> & its "meaning"') for number in range(1, 20)]


def home(request):
    return HttpResponse("Hello, World!", content_type="text/plain; charset=utf-8")


def fortunes(request):
    rows = [*FORTUNES, Fortune(0, "Added when it was asked for")]
    rows.sort(key=lambda fortune: fortune.message)
    return render(request, "fortunes.html", {"fortunes": rows})


def login(request):
    form = LoginForm(request.POST)
    if not form.is_valid() or form.cleaned_data["password"] != "secret":
        return HttpResponse("Wrong", status=403)
    request.session["user"] = form.cleaned_data["name"]
    response = redirect("/")
    response.status_code = 303
    return response


@csrf_exempt
def upload(request):
    return JsonResponse({"size": len(request.FILES["file"].read())})


urlpatterns = [
    path("", home),
    path("fortunes", fortunes),
    path("login", login),
    path("upload", upload),
]
app = get_wsgi_application()
