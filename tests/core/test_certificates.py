"""What is told of a certificate: somebody else's words, however hostile, made plain and short."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.certificates import read_chain
from sandbox.stand_in.issuing import begun, named

BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


def certificate(subject: str, *names: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    made = begun(named(subject), named("CORP-DC01-CA"), key, BEGIN, END)
    if names:
        alternatives = [x509.DNSName(name) for name in names]
        made = made.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_it_is_told_in_one_line() -> None:
    (one,) = read_chain([certificate("mail.corp.test", "mail.corp.test", "ex01.corp.local")])

    assert str(one) == (
        "CN=mail.corp.test for mail.corp.test, ex01.corp.local by CN=CORP-DC01-CA,"
        " 2026-01-01 to 2027-01-01"
    )


def test_a_time_is_good_from_its_begin_to_its_end() -> None:
    (one,) = read_chain([certificate("x")])
    moment = timedelta(seconds=1)

    assert [False, True, True, False] == [
        one.is_good_at(at) for at in (BEGIN - moment, BEGIN, END, END + moment)
    ]


def test_a_name_that_is_meant_to_trouble_is_plain_and_short() -> None:
    (one,) = read_chain([certificate("\x1b[2J\u202e" + "x" * 40, *(["n" * 250] * 99))])

    assert one.subject.isprintable()
    assert "?" in one.subject
    assert len(str(one)) < 2_000


@pytest.mark.parametrize("shown", [b"", b"\x30\x03\x02\x01", b"MII" * 999])
def test_what_cannot_be_read_is_left_out(shown: bytes) -> None:
    good = certificate("x")

    assert 1 == len(read_chain([shown, good]))
    assert 4 == len(read_chain([good] * 99))
