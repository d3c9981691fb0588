"""Sealing, the key ring and digests (security.md D1, D2)."""

from __future__ import annotations

import pytest

from broker.crypto import DataKey, Vault, s256_challenge, same
from broker.errors import SealBroken
from broker.ids import new_key

PLACE = "connections:con_1:credential"


@pytest.fixture
def key() -> DataKey:
    return DataKey(new_key())


@pytest.mark.parametrize("plain", [b"", b"x", b"\x00" * 100_000, "für Ädä ☂".encode()])
def test_what_is_sealed_opens_again(key: DataKey, plain: bytes) -> None:
    assert key.open(key.seal(plain, PLACE), PLACE) == plain


def test_text_stays_text(key: DataKey) -> None:
    assert key.open_text(key.seal_text("für Ädä ☂", PLACE), PLACE) == "für Ädä ☂"


def test_the_same_text_is_never_sealed_alike(key: DataKey) -> None:
    assert len({key.seal(b"same", PLACE) for _ in range(1000)}) == 1000


def test_a_value_opens_only_in_its_place(key: DataKey) -> None:
    sealed = key.seal(b"secret", PLACE)

    for place in ("connections:con_2:credential", "connections:con_1:identity", ""):
        with pytest.raises(SealBroken):
            key.open(sealed, place)


def test_a_value_opens_only_under_its_key(key: DataKey) -> None:
    with pytest.raises(SealBroken):
        DataKey(new_key()).open(key.seal(b"secret", PLACE), PLACE)


def test_every_changed_byte_is_noticed(key: DataKey) -> None:
    sealed = key.seal(b"secret", PLACE)

    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(SealBroken):
            key.open(bytes(changed), PLACE)


def test_every_cut_value_is_noticed(key: DataKey) -> None:
    sealed = key.seal(b"secret", PLACE)

    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            key.open(sealed[:length], PLACE)


def test_an_error_names_the_table_and_nothing_else(key: DataKey) -> None:
    with pytest.raises(SealBroken) as caught:
        key.open(key.seal(b"secret", PLACE), "connections:con_2:credential")

    assert str(caught.value) == "connections"


def test_the_ring_opens_old_values_and_wraps_under_the_current_key() -> None:
    """D2."""
    old, digest = new_key(), new_key()
    before = Vault({"k1": old}, digest)
    wrapped = before.wrap(b"data key", PLACE)

    after = Vault({"k2": new_key(), "k1": old}, digest)

    assert after.unwrap(wrapped, PLACE) == b"data key"
    assert (after.key_name(wrapped), after.key_name(after.wrap(b"x", PLACE))) == ("k1", "k2")
    assert after.key_names == ("k2", "k1")


def test_a_key_that_left_the_ring_opens_nothing() -> None:
    wrapped = Vault({"k1": new_key()}, new_key()).wrap(b"data key", PLACE)

    with pytest.raises(SealBroken, match="no such key in the ring"):
        Vault({"k2": new_key()}, new_key()).unwrap(wrapped, PLACE)


@pytest.mark.parametrize("wrapped", [b"", b"\x00", b"\x05k1", b"\xff" * 40, b"\x02k1"])
def test_rubbish_does_not_unwrap(wrapped: bytes) -> None:
    with pytest.raises(SealBroken):
        Vault({"k1": new_key()}, new_key()).unwrap(wrapped, PLACE)


def test_an_opened_data_key_is_kept_and_the_oldest_forgotten() -> None:
    vault = Vault({"k1": new_key()}, new_key())
    wrapped = vault.new_data_key(PLACE)

    assert vault.data_key(wrapped, PLACE) is vault.data_key(wrapped, PLACE)
    for number in range(4096):
        place = f"connections:{number}:key"
        vault.data_key(vault.new_data_key(place), place)
    sealed = vault.data_key(wrapped, PLACE).seal(b"x", PLACE)
    assert vault.data_key(wrapped, PLACE).open(sealed, PLACE) == b"x"


def test_digests_depend_on_key_purpose_and_every_part() -> None:
    vault, other = Vault({"k": new_key()}, new_key()), Vault({"k": new_key()}, new_key())
    found = [
        vault.digest("code", "a", "b"),
        vault.digest("code", "ab"),
        vault.digest("code", "a", "b", ""),
        vault.digest("token", "a", "b"),
        other.digest("code", "a", "b"),
    ]

    assert len(set(found)) == len(found)
    assert all(len(digest) == 32 for digest in found)
    assert vault.digest("code", "a", "b") == found[0]


def test_digests_are_what_rows_hold_already() -> None:
    """HMAC-SHA256 of the parts with zero bytes between them: another one would find no row."""
    vault = Vault({"k": new_key()}, bytes(range(32)))

    assert vault.digest("event", "cal_1", "ä").hex() == (
        "8f62ec8ba757d7ade0c2c960cfda0e4cab16190a1990d5681381e93cb5a15ca6"
    )


def test_comparison_is_exact() -> None:
    assert same(b"abc", b"abc")
    assert not same(b"abc", b"abd")
    assert not same(b"abc", b"abcd")


def test_the_challenge_is_that_of_the_standard() -> None:
    """RFC 7636 appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert s256_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_nothing_prints_a_key(key: DataKey) -> None:
    secret = new_key()

    assert repr(key) == "DataKey(...)"
    assert repr(secret)[2:-1] not in repr(Vault({"k1": secret}, secret))
