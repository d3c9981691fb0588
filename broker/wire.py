"""What outgoing calls go over: sessions that keep nothing and ask nobody."""

from __future__ import annotations

from collections.abc import Mapping

import requests
from requests.adapters import BaseAdapter


def make_session(
    adapter: BaseAdapter,
    proxy_url: str | None,
    ca_file: str | None,
    mounts: Mapping[str, BaseAdapter] | None,
) -> requests.Session:
    """Make a session over *adapter*, or over *mounts* for the URL prefixes that it names.

    It has no cookies, and no proxies or passwords of the environment.
    """
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(_NoCookies())
    session.verify = ca_file or True
    if proxy_url:
        session.proxies = {"http": proxy_url, "https": proxy_url}
    for prefix in ("https://", "http://"):
        session.mount(prefix, adapter)
    for prefix, mounted in (mounts or {}).items():
        session.mount(prefix, mounted)
    return session


class _NoCookies(requests.cookies.cookielib.DefaultCookiePolicy):  # type: ignore[name-defined,misc]
    """Refuses every cookie: a login must never ride on another's session."""

    def set_ok(self, cookie: object, request: object) -> bool:
        return False
