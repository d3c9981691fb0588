"""Which hosts get a typed password without a question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import AddressRefused, HostUnconfirmed
from broker.providers.host_trust import HostTrust, place_of

TRUST = HostTrust(frozenset({"mail.example", "10.0.0.1"}), frozenset({"cloud.example:8443"}))


@pytest.mark.parametrize(
    "url",
    [
        "https://mail.example/x",
        "https://MAIL.example.:443/",
        "https://dav.mail.example/",
        "https://cloud.example:8443/",
    ],
)
def test_named_below_it_or_confirmed(url: str) -> None:
    TRUST.check(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://mail.example:8443/", "mail.example:8443"),
        ("https://xmail.example/", "xmail.example"),
        ("https://mail.example.evil.example/", "mail.example.evil.example"),
        ("https://example.com/", "example.com"),
        ("https://cloud.example/", "cloud.example"),
        ("https://x.cloud.example:8443/", "x.cloud.example:8443"),
        ("https://m\u0430il.example/", "xn--mil-6cd.example"),
        ("https://MAIL\u3002example.evil.example/", "mail.example.evil.example"),
    ],
)
def test_others_are_shown_as_dns_writes_them(url: str, shown: str) -> None:
    with pytest.raises(HostUnconfirmed) as raised:
        TRUST.check(url)

    assert shown == raised.value.host


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example/",
        "https://ada@mail.example/",
        "https://mail.example\\@evil.example/",
        "https://10.0.0.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://[bad/",
        "https://mail.example:99999/",
        "https://localhost/",
        "https://a b.example/",
        "https:///",
        "",
    ],
)
def test_what_is_no_place_is_refused_and_not_asked_about(url: str) -> None:
    with pytest.raises(AddressRefused):
        TRUST.check(url)


@given(st.text(max_size=60))
def test_whatever_comes_is_a_place_or_refused(text: str) -> None:
    try:
        place = place_of(f"https://{text}")
    except AddressRefused:
        return
    assert place == place.lower() and place.isascii() and "@" not in place and "/" not in place
