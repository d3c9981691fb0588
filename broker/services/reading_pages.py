"""Page tokens: where a listing goes on, sealed, so that they mean nothing to anybody else."""

from __future__ import annotations

import base64
import binascii

import msgspec

from broker.crypto import Vault
from broker.errors import NotFound, SealBroken
from broker.services.reading_query import Query
from broker.services.reading_rows import Position

MAX_TOKEN = 4_096


class PageMark(msgspec.Struct, frozen=True, array_like=True):
    """Where a listing goes on: what a page token holds."""

    account_id: str
    query: Query
    after: Position
    page: int
    total: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(PageMark)


def seal(vault: Vault, listing: str, mark: PageMark) -> str:
    """Write the token of a page of *listing* (`events` or `free_busy`)."""
    wrapped = vault.wrap(_encoder.encode(mark), f"page:{listing}")
    return base64.urlsafe_b64encode(wrapped).rstrip(b"=").decode()


def open_token(vault: Vault, listing: str, token: str, account_id: str) -> PageMark:
    """Read a token that `seal` wrote.

    Raises NotFound for a token of another account or listing, or one that was changed.
    """
    if len(token) > MAX_TOKEN:
        raise NotFound("page")
    try:
        wrapped = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        mark = _decoder.decode(vault.unwrap(wrapped, f"page:{listing}"))
    except (binascii.Error, ValueError, SealBroken, msgspec.DecodeError) as error:
        raise NotFound("page") from error
    if mark.account_id != account_id:
        raise NotFound("page")
    return mark
