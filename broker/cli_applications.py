"""The commands about applications, and how every command says what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import click
from flask.cli import with_appcontext
from redis.exceptions import ConnectionError as RedisGone
from redis.exceptions import TimeoutError as RedisSilent
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from broker.errors import BrokerError, InvalidFields, NotFound
from broker.oauth_server.scopes import KNOWN
from broker.services import applications, features
from broker.services.runtime import current_runtime

DEFAULT_SCOPE = "read_write"

_NO_DATABASE = (
    "the database does not answer, or has no tables yet: "
    "check DATABASE_URL and run `flask db upgrade`"
)
_NO_REDIS = "Redis does not answer: check REDIS_URL, and for rediss:// REDIS_CERTIFICATE_CHECK"

Result = TypeVar("Result")


class Told(click.Command):
    """A command that says in words that there is no database to work on, or no Redis."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (OperationalError, InterfaceError, ProgrammingError) as error:
            raise click.ClickException(_NO_DATABASE) from error
        except (RedisGone, RedisSilent) as error:
            raise click.ClickException(_NO_REDIS) from error


command = partial(click.command, cls=Told)


def told(action: Callable[[], Result]) -> Result:
    """Do something and turn a refusal into words at the terminal."""
    try:
        return action()
    except InvalidFields as error:
        problems = [
            f"{name}: {text}" for name, found in error.problems.items() for _, text in found
        ]
        raise click.ClickException("; ".join(problems)) from error
    except NotFound as error:
        raise click.ClickException(f"no such {error}") from error
    except BrokerError as error:
        raise click.ClickException(str(error)) from error


@command(
    "app-create",
    epilog='Example: flask app-create "Acme" --redirect-uri https://acme.example/callback',
)
@click.argument("name")
@click.option("--redirect-uri", "redirect_uris", multiple=True, required=True)
@click.option("--scope", default=DEFAULT_SCOPE, show_default=True, help=f"Of: {' '.join(KNOWN)}")
@click.option("--url", default="", help="The application's own address, for people.")
@click.option("--public", is_flag=True, help="A client without a secret; it must use PKCE.")
@with_appcontext
def app_create(
    name: str, redirect_uris: tuple[str, ...], scope: str, url: str, public: bool
) -> None:
    """Register a partner application. Its secret is shown this once."""
    application, secret = told(
        lambda: applications.create(
            current_runtime(),
            name=name,
            redirect_uris=redirect_uris,
            scope=scope,
            url=url,
            public=public,
        )
    )
    click.echo(f"client_id      {application.client_id}")
    click.echo(f"client_secret  {secret or 'none: a public client'}")


@command("app-list", epilog="Example: flask app-list")
@with_appcontext
def app_list() -> None:
    """List the partner applications, features, redirect URIs and live secrets by id."""
    current_runtime()
    for application in applications.all_applications():
        click.echo(f"{application.client_id}  {application.name}  ({application.scopes})")
        for feature in features.of(application):
            click.echo(f"    feature   {feature}")
        for uri in applications.redirect_uris(application):
            click.echo(f"    redirect  {uri}")
        for secret in applications.live_secrets(application.id):
            click.echo(f"    secret    {secret.id}  since {secret.created_at:%Y-%m-%d}")


@command("secret-add", epilog="Example: flask secret-add cli_...")
@click.argument("client_id")
@with_appcontext
def secret_add(client_id: str) -> None:
    """Make a second secret, shown this once; both work until one is retired."""
    secret_id, secret = told(lambda: applications.add_secret(current_runtime(), client_id))
    click.echo(f"secret_id      {secret_id}")
    click.echo(f"client_secret  {secret}")


@command("secret-retire", epilog="Example: flask secret-retire cli_... sec_...")
@click.argument("client_id")
@click.argument("secret_id")
@with_appcontext
def secret_retire(client_id: str, secret_id: str) -> None:
    """Stop a secret from working; `flask app-list` shows its id."""
    told(lambda: applications.retire_secret(current_runtime(), client_id, secret_id))
    click.echo("retired")


@command("redirect-add", epilog="Example: flask redirect-add cli_... https://acme.example/callback")
@click.argument("client_id")
@click.argument("uri")
@with_appcontext
def redirect_add(client_id: str, uri: str) -> None:
    """Register another redirect URI."""
    told(lambda: applications.add_redirect(current_runtime(), client_id, uri))
    click.echo("added")


@command("feature-add", epilog="Example: flask feature-add cli_... geo")
@click.argument("client_id")
@click.argument("feature")
@with_appcontext
def feature_add(client_id: str, feature: str) -> None:
    """Let an application use a feature: geo, the places of events as coordinates."""
    _set_feature(client_id, feature, on=True)
    click.echo("added")


@command("feature-remove", epilog="Example: flask feature-remove cli_... geo")
@click.argument("client_id")
@click.argument("feature")
@with_appcontext
def feature_remove(client_id: str, feature: str) -> None:
    """Take a feature from an application, whose calls that ask for it get 402."""
    _set_feature(client_id, feature, on=False)
    click.echo("removed")


def _set_feature(client_id: str, feature: str, *, on: bool) -> None:
    told(lambda: applications.set_feature(current_runtime(), client_id, feature, on=on))


COMMANDS = (
    app_create,
    app_list,
    secret_add,
    secret_retire,
    redirect_add,
    feature_add,
    feature_remove,
)
