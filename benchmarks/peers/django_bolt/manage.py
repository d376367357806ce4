"""The five workloads in django-bolt: settings, API and management command in one file."""

import os
import sys

from django.conf import settings

settings.configure(
    SECRET_KEY=os.environ.get("SECRET_KEY", "only-for-a-benchmark-on-this-machine"),
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="urls",
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_bolt"],
    BOLT_API=["hello:api"],
    # access logs are off for all servers
    LOGGING={"version": 1, "disable_existing_loggers": False, "loggers": {"django.server": {"level": "ERROR"}}},
)

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
