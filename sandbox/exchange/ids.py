"""Ids, change keys and sync states: opaque to clients, and as long as Exchange's own."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass

_KINDS = {"item": 1, "folder": 2, "occurrence": 3}
_NAMES = {number: name for name, number in _KINDS.items()}
_LAYOUT = ">BQq"
_HEAD = bytes.fromhex("00032400")
_TAIL = bytes.fromhex("460000000000a1b2c3d4e5f60718293a4b5c6d7e8f900700") * 2
_KEY_HEAD = {"item": bytes.fromhex("0f0000001600"), "folder": bytes.fromhex("020000001600")}
_STATE_LAYOUT = ">4sQIQQ"
_STATE_MAGIC = b"\x1f\x8b\x08\x00"


@dataclass(frozen=True)
class Id:
    """What an id says. *kind* is `item`, `folder`, or `occurrence` with its original start."""

    kind: str
    number: int
    original_s: int = 0


@dataclass(frozen=True)
class SyncState:
    """Where a client is in a folder: *base* is what it had when it was last complete."""

    folder: int
    epoch: int
    base: int
    position: int


def written(found: Id) -> str:
    """Return the id as text; it always is the same."""
    body = struct.pack(_LAYOUT, _KINDS[found.kind], found.number, found.original_s)
    body = _HEAD + _seal(body) + body + _TAIL
    return base64.b64encode(body).decode()


def read(text: str) -> Id:
    """Read an id. Raises ValueError when it is damaged or was never given out."""
    try:
        body = base64.b64decode(text, validate=True)
    except binascii.Error as problem:
        raise ValueError("not base64") from problem
    inner = body[len(_HEAD) + 8 : -len(_TAIL)]
    if len(inner) != struct.calcsize(_LAYOUT) or body != _HEAD + _seal(inner) + inner + _TAIL:
        raise ValueError("not one of ours")
    kind, number, original_s = struct.unpack(_LAYOUT, inner)
    return Id(_NAMES[kind], number, original_s)


def change_key(kind: str, changed: int) -> str:
    """Return the key of one state of an item or folder."""
    return base64.b64encode(
        _KEY_HEAD[kind] + b"\x00\x00" + struct.pack(">QQ", 0x1B2C, changed)
    ).decode()


def changed_of(key: str) -> int:
    """Return which state a change key stands for. Raises ValueError when it is damaged."""
    try:
        body = base64.b64decode(key, validate=True)
    except binascii.Error as problem:
        raise ValueError("not base64") from problem
    if len(body) != 24:
        raise ValueError("not one of ours")
    return int(struct.unpack(">Q", body[-8:])[0])


def written_state(state: SyncState) -> str:
    """Return a sync state as text."""
    body = struct.pack(
        _STATE_LAYOUT, _STATE_MAGIC, state.folder, state.epoch, state.base, state.position
    )
    return base64.b64encode(body + _seal(body)).decode()


def read_state(text: str) -> SyncState:
    """Read a sync state. Raises ValueError when it is damaged."""
    try:
        body = base64.b64decode(text, validate=True)
    except binascii.Error as problem:
        raise ValueError("not base64") from problem
    inner = body[:-8]
    if len(inner) != struct.calcsize(_STATE_LAYOUT) or body != inner + _seal(inner):
        raise ValueError("not one of ours")
    _, folder, epoch, base, position = struct.unpack(_STATE_LAYOUT, inner)
    return SyncState(folder, epoch, base, position)


def _seal(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=8).digest()
