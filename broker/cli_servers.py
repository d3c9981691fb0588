"""The commands about learned servers: which Exchange a mail domain's people are brought to."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from broker.cli_applications import command, told
from broker.services import learned_servers
from broker.services.learned_servers import Learned, Standing
from broker.services.runtime import current_runtime

_EXAMPLE = "example.com https://mail.example.com/EWS/Exchange.asmx"


@command("server-list", epilog="Example: flask server-list example.com")
@click.argument("domain", default="")
@with_appcontext
def server_list(domain: str) -> None:
    """List the Exchange servers that logins taught, and whether colleagues are brought there."""
    for one in told(lambda: learned_servers.listed(current_runtime(), domain)):
        last = f"{one.last_success_at:%Y-%m-%d %H:%M:%SZ}" if one.last_success_at else "never"
        click.echo(f"{one.server.domain}  {one.server.url}  {_said(one)}")
        click.echo(f"    logs in   as {one.server.username}  {one.server.dialect}".rstrip())
        click.echo(f"    successes {one.successes}  last {last}  missed since {one.misses}")


@command("server-pin", epilog=f"Example: flask server-pin {_EXAMPLE}")
@click.argument("domain")
@click.argument("url")
@with_appcontext
def server_pin(domain: str, url: str) -> None:
    """Bring everybody of a mail domain to this server, whoever's host it is.

    Their passwords go there without a question: be sure that it is the company's.
    """
    told(lambda: learned_servers.pin(current_runtime(), domain, url))
    click.echo("pinned")


@command("server-block", epilog=f"Example: flask server-block {_EXAMPLE}")
@click.argument("domain")
@click.argument("url")
@with_appcontext
def server_block(domain: str, url: str) -> None:
    """Bring nobody of a mail domain to this server, however many have logged in there."""
    told(lambda: learned_servers.block(current_runtime(), domain, url))
    click.echo("blocked")


@command("server-forget", epilog=f"Example: flask server-forget {_EXAMPLE}")
@click.argument("domain")
@click.argument("url", default="")
@with_appcontext
def server_forget(domain: str, url: str) -> None:
    """Forget one server of a mail domain, or all of them; pins and blocks too."""
    click.echo(f"{told(lambda: learned_servers.forget(current_runtime(), domain, url))} forgotten")


def _said(one: Learned) -> str:
    """Say what becomes of a server."""
    if one.standing is not Standing.LEARNED:
        return one.standing.value
    if one.misses >= learned_servers.MISSES:
        return "not offered: people were found elsewhere since"
    return "offered" if one.is_offered else "not offered: pin it if it is the company's own"


COMMANDS = (server_list, server_pin, server_block, server_forget)
