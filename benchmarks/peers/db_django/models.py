"""Django's models and settings of the database workloads."""

import os
from urllib.parse import urlsplit

import django
from django.conf import settings

URL = os.environ["BENCH_URL"]
parts = urlsplit(URL)
if URL.startswith("sqlite"):
    database = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": URL.removeprefix("sqlite:///"),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"},
    }
else:
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "HOST": parts.hostname,
        "PORT": parts.port,
        "USER": parts.username,
        "PASSWORD": parts.password or "",
        "CONN_MAX_AGE": None,
    }
settings.configure(
    SECRET_KEY=os.environ.get("SECRET_KEY", "only-for-a-benchmark-on-this-machine"),
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="hello",
    USE_TZ=True,
    DATABASES={"default": database},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
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
django.setup()

from django.db import models  # noqa: E402 - Django's models need the settings


class Fields(models.Model):
    title = models.CharField(max_length=200)
    slug = models.CharField(max_length=200)
    body = models.TextField()
    published = models.BooleanField()
    stars = models.IntegerField()
    created_at = models.DateTimeField()

    class Meta:
        abstract = True


class Post(Fields):
    class Meta:
        app_label = "bench"
        db_table = "post"


class BulkPost(Fields):
    class Meta:
        app_label = "bench"
        db_table = "bulk_post"
