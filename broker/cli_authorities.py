"""The commands about certificate authorities that are believed for one host only."""

from __future__ import annotations

from typing import BinaryIO

import click
from flask.cli import with_appcontext

from broker.cli_applications import command, told
from broker.services import host_authorities
from broker.services.authority_files import MOST_BYTES
from broker.services.host_authorities import Trusted
from broker.services.runtime import current_runtime


@command("authority-add", epilog="Example: flask authority-add mail.example.com company-ca.pem")
@click.argument("host")
@click.argument("file", type=click.File("rb"))
@with_appcontext
def authority_add(host: str, file: BinaryIO) -> None:
    """Believe a company's own certificate authority, for this one host.

    Compare the fingerprint that is printed with one that their IT department tells you by
    another way. Every process believes it within five seconds.
    """
    data = file.read(MOST_BYTES + 1)
    for one in told(lambda: host_authorities.add(current_runtime(), host, data)):
        _show(one)


@command("authority-list", epilog="Example: flask authority-list mail.example.com")
@click.argument("host", default="")
@with_appcontext
def authority_list(host: str) -> None:
    """List the authorities that are believed for one host only."""
    for one in told(lambda: host_authorities.listed(current_runtime(), host)):
        _show(one)


@command("authority-remove", epilog="Example: flask authority-remove mail.example.com 9f86d081")
@click.argument("host")
@click.argument("fingerprint", default="")
@with_appcontext
def authority_remove(host: str, fingerprint: str) -> None:
    """No longer believe a host's authority whose fingerprint begins so, or all that it has."""
    removed = told(lambda: host_authorities.remove(current_runtime(), host, fingerprint))
    click.echo(f"{removed} removed")


def _show(one: Trusted) -> None:
    authority = one.authority
    has_ended = authority.expires_at <= current_runtime().clock.now()
    click.echo(f"{one.host}  {authority.subject}")
    click.echo(f"    {'RAN OUT' if has_ended else 'until'}  {authority.expires_at:%Y-%m-%d}")
    click.echo(f"    SHA-256  {authority.fingerprint}")


COMMANDS = (authority_add, authority_list, authority_remove)
