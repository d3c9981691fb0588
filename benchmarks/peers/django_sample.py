"""django-oauth-toolkit as its documentation sets it up, in one file.

Runs in an environment of its own; see benchmarks/django_peer.py. The client secret is kept
unhashed here, because hashing it would cost a hundred times the rest.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

urlpatterns: list[Any] = []


def create_app() -> Any:
    """Make the server with one client and one token in it."""
    settings.configure(
        SECRET_KEY="only-for-measuring",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "oauth2_provider",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": os.environ["SAMPLE_DATABASE"],
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()
    urlpatterns.append(path("oauth/", include("oauth2_provider.urls")))
    call_command("migrate", verbosity=0)
    _fill()
    return get_wsgi_application()


def _fill() -> None:
    from django.contrib.auth.models import User
    from django.utils import timezone
    from oauth2_provider.models import AccessToken, Application, RefreshToken

    user = User.objects.create(username="somebody")
    application = Application.objects.create(
        client_id="sample",
        client_secret="secret",
        hash_client_secret=False,
        client_type="confidential",
        authorization_grant_type="authorization-code",
        redirect_uris="https://partner.example/callback",
        user=user,
    )
    access = AccessToken.objects.create(
        user=user,
        application=application,
        token="first-access",
        scope="read",
        expires=timezone.now() + timedelta(hours=1),
    )
    RefreshToken.objects.create(
        user=user, application=application, token="first-refresh", access_token=access
    )
