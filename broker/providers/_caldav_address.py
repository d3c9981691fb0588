"""What people type to say where their calendar is: an address, a host, or a mail address."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from broker.addresses import as_address
from broker.errors import AddressRefused


@dataclass(frozen=True, slots=True)
class Typed:
    """One of three: *url* with a place of its own, a bare *domain*, or an *email* at it."""

    url: str = ""
    domain: str = ""
    email: str = ""


def read_typed(text: str) -> Typed:
    """Tell what was typed.

    Raises AddressRefused: `address_malformed`, `address_scheme`, or `address_with_login`.
    """
    text = text.strip()
    if text[:7].lower() == "mailto:":
        text = text[7:]
    if "@" in text and "/" not in text:
        name, _, domain = text.rpartition("@")
        if not name or "@" in name or _host_of(complete_address(domain)) is None:
            raise AddressRefused("address_malformed")
        if ":" in name:
            raise AddressRefused("address_with_login", instead=domain.lower())
        return Typed(domain=domain.lower().rstrip("."), email=f"{name}@{domain.lower()}")
    url = complete_address(text)
    host = _host_of(url)
    return Typed(url=url) if host is None else Typed(url=url, domain=host)


def complete_address(typed: str) -> str:
    """Give the absolute address that a person meant; https unless they said otherwise.

    Raises AddressRefused.
    """
    text = typed.strip()
    if "://" not in text:
        text = f"https://[{text}]" if _is_bare_ipv6(text) else f"https://{text}"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise AddressRefused("address_malformed") from error
    if not host or not text.isprintable() or "\\" in text:
        raise AddressRefused("address_malformed")
    scheme = parts.scheme.lower()
    plain = urlunsplit((scheme, parts.netloc.rpartition("@")[2], parts.path or "/", "", ""))
    if scheme not in {"https", "http"}:
        raise AddressRefused("address_scheme", instead=over_https(plain))
    if "@" in parts.netloc:
        raise AddressRefused("address_with_login", instead=over_https(plain))
    return plain


def over_https(url: str) -> str:
    """Write an address that has no user name in it as one that begins with https.

    A port is kept where we may call it: the one of another scheme is of no use.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    name = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port == 8443 else ""
    return f"https://{name}{port}{parts.path or '/'}"


def _host_of(url: str) -> str | None:
    """Give the name when *url* is nothing but a name, reached the usual way."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    plain = parts.scheme == "https" and parts.path == "/" and parts.netloc.rstrip(".").lower()
    if plain != host or as_address(host) is not None or any(c.isspace() for c in host):
        return None
    return host


def _is_bare_ipv6(text: str) -> bool:
    try:
        return isinstance(ipaddress.ip_address(text), ipaddress.IPv6Address)
    except ValueError:
        return False
