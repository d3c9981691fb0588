"""What operators bring as a company's certificate authority, and what is not taken."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.errors import InvalidFields
from broker.services import authority_files
from tests.tls_server import Authority

NOW = datetime(2026, 3, 9, 10, 0, tzinfo=UTC)
PAST, FUTURE = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 5, 6, tzinfo=UTC)


def refusal(data: bytes) -> str:
    with pytest.raises(InvalidFields) as caught:
        authority_files.read(data, NOW)
    ((_, text),) = caught.value.problems["file"]
    return text


def test_an_authority_is_read_in_both_forms(tmp_path: Path) -> None:
    made = Authority(tmp_path, "Corp Root", until=FUTURE)

    from_pem = authority_files.read(made.file.read_bytes(), NOW)
    from_der = authority_files.read(made.der, NOW)

    assert from_pem == from_der == [authority_files.describe(made.der)]
    assert ("CN=Corp Root", FUTURE) == (from_pem[0].subject, from_pem[0].expires_at)
    assert 64 == len(from_pem[0].fingerprint)


def test_a_chain_gives_each_authority_once(tmp_path: Path) -> None:
    root, issuing = Authority(tmp_path, "Root"), Authority(tmp_path, "Issuing")
    chain = issuing.file.read_bytes() + root.file.read_bytes() + root.file.read_bytes()

    assert ["CN=Issuing", "CN=Root"] == [one.subject for one in authority_files.read(chain, NOW)]


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"hello",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"0" * (authority_files.MOST_BYTES + 1),
        b"<html>404</html>",
    ],
)
def test_junk_is_refused(junk: bytes) -> None:
    assert "holds no certificate" in refusal(junk)


def test_a_private_key_is_refused_even_beside_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("mail.corp.test")
    with_key = (tmp_path / "mail.corp.test-False.pem").read_bytes()

    assert "private key" in refusal(authority.file.read_bytes() + with_key)


def test_a_servers_own_certificate_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("mail.corp.test")

    assert "“CN=mail.corp.test” is a server's own" in refusal(authority.leaf)
    assert "server's own" in refusal(authority.file.read_bytes() + authority.leaf)


def test_what_may_not_issue_is_refused(tmp_path: Path) -> None:
    assert "not an authority's" in refusal(Authority(tmp_path, signs=False).der)


def test_what_has_run_out_or_not_begun_is_refused(tmp_path: Path) -> None:
    old = Authority(tmp_path, "Old", until=PAST)
    new = Authority(tmp_path, "New", since=FUTURE)

    assert "“CN=Old” ran out on 2024-01-01" in refusal(old.der)
    assert "“CN=New” is not valid before 2031-05-06" in refusal(new.der)


def test_more_than_a_few_are_refused(tmp_path: Path) -> None:
    many = b"".join(Authority(tmp_path, f"A{n}").file.read_bytes() for n in range(9))

    assert "more than 8" in refusal(many)


def test_a_name_cannot_play_with_the_terminal(tmp_path: Path) -> None:
    (found,) = authority_files.read(Authority(tmp_path, "Evil\x1b[2J\u202eRoot").der, NOW)

    assert found.subject.isprintable()
    assert "\x1b" not in found.subject
