"""Sealing and digests: the only module that touches keys.

Content and credentials are sealed with AES-256-GCM (NIST SP 800-38D) under a data key of
their connection; data keys are sealed under a key ring from the environment. Associated data
names table, row and column, so that a value copied elsewhere does not open.

A sealed value is `0x01 | nonce (12) | ciphertext and tag`; under the ring, the key's name
comes before it, so that several keys can live side by side while rotation runs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from broker.errors import SealBroken
from broker.ids import new_key, new_nonce

_SCHEME = b"\x01"
_NONCE_BYTES = 12
_CACHED_KEYS = 4096


class DataKey:
    """Seals and opens the values of one connection, or of the broker itself."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def __repr__(self) -> str:
        return "DataKey(...)"

    def seal(self, plaintext: bytes, place: str) -> bytes:
        """Seal *plaintext* for *place*, which is `table:row:column`."""
        nonce = new_nonce()
        return _SCHEME + nonce + self._aead.encrypt(nonce, plaintext, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Open what `seal` made for the same *place*.

        Raises SealBroken for another key, another place, or changed bytes.
        """
        if sealed[:1] != _SCHEME:
            raise SealBroken(place.split(":")[0])
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._aead.decrypt(nonce, ciphertext, place.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken(place.split(":")[0]) from error

    def seal_text(self, text: str, place: str) -> bytes:
        """Seal a string as UTF-8."""
        return self.seal(text.encode(), place)

    def open_text(self, sealed: bytes, place: str) -> str:
        """Open a string that `seal_text` sealed."""
        return self.open(sealed, place).decode()


class Vault:
    """The key ring: wraps data keys, and digests what must be found but not read.

    *ring* maps key names to 256-bit keys; the first is current, the rest open old values.
    *digest_key* makes the keyed digests under which tokens and provider ids are looked up;
    it is not rotated, since a digest cannot be made anew from a digest.
    """

    def __init__(self, ring: Mapping[str, bytes], digest_key: bytes) -> None:
        self._ring = {name: DataKey(key) for name, key in ring.items()}
        self.current = next(iter(ring))
        self._keyed = HMAC(digest_key, SHA256())
        self._opened: OrderedDict[bytes, DataKey] = OrderedDict()
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"Vault(current={self.current!r})"

    @property
    def key_names(self) -> tuple[str, ...]:
        """Names of the keys of the ring, the current one first."""
        return tuple(self._ring)

    def new_data_key(self, place: str) -> bytes:
        """Make a data key and give it wrapped for *place*."""
        return self.wrap(new_key(), place)

    def wrap(self, secret: bytes, place: str) -> bytes:
        """Seal *secret* under the current key of the ring."""
        name = self.current.encode()
        return bytes([len(name)]) + name + self._ring[self.current].seal(secret, place)

    def unwrap(self, wrapped: bytes, place: str) -> bytes:
        """Open what `wrap` made, under whichever key of the ring it names.

        Raises SealBroken when that key is not in the ring, or the value is not for *place*.
        """
        key = self._ring.get(self.key_name(wrapped))
        if key is None:
            raise SealBroken(f"{place.split(':')[0]}: no such key in the ring")
        return key.open(wrapped[1 + wrapped[0] :], place)

    @staticmethod
    def key_name(wrapped: bytes) -> str:
        """Tell under which key of the ring a value is wrapped."""
        if not wrapped:
            raise SealBroken("empty value")
        return wrapped[1 : 1 + wrapped[0]].decode("ascii", errors="replace")

    def data_key(self, wrapped: bytes, place: str) -> DataKey:
        """Open a wrapped data key; recently opened ones are kept."""
        with self._lock:
            cached = self._opened.get(wrapped)
            if cached is not None:
                self._opened.move_to_end(wrapped)
                return cached
        key = DataKey(self.unwrap(wrapped, place))
        with self._lock:
            self._opened[wrapped] = key
            while len(self._opened) > _CACHED_KEYS:
                self._opened.popitem(last=False)
        return key

    def digest(self, purpose: str, *parts: str) -> bytes:
        """Give the keyed digest (32 bytes) under which *parts* are looked up.

        *purpose* keeps digests of different things apart. HMAC-SHA256, RFC 2104.
        """
        # A copy of one that knows the key already, at a third of a new one's cost.
        keyed = self._keyed.copy()
        keyed.update("\x00".join((purpose, *parts)).encode())
        return keyed.finalize()


def same(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)


def s256_challenge(verifier: str) -> str:
    """Give the PKCE S256 challenge of a verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii", errors="replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
