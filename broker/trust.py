"""Whom outgoing calls believe over TLS. There is no switch to believe everybody."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from functools import cached_property

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util import create_urllib3_context

Authorities = Callable[[str], Sequence[bytes]]
"""Gives the certificate authorities that are believed for one host, in DER."""


class Trust:
    """Whom we believe over TLS: the usual authorities, those in *ca_file*, and a host's own.

    *authorities* gives those of one host, in DER; nobody else is believed by them. Reading the
    usual ones takes 40 ms, so it is done once for each that differs and not for each connection.
    """

    def __init__(self, ca_file: str | None, sockets: type[ssl.SSLSocket] = ssl.SSLSocket) -> None:
        self._ca_file = ca_file
        self._sockets = sockets
        self.authorities: Authorities = lambda _host: ()
        self._own: dict[str, tuple[Sequence[bytes], ssl.SSLContext]] = {}

    def context_for(self, host: str) -> ssl.SSLContext:
        """Give the TLS settings of connections to a host. Its certificate must bear that name."""
        authorities = self.authorities(host)
        if not authorities:
            self._own.pop(host, None)
            return self.context
        held = self._own.get(host)
        if held is None or held[0] != authorities:
            context = self._made()
            context.load_verify_locations(cadata=b"".join(authorities))
            # Companies hand out the authority that issues, which need not be the root.
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            held = self._own[host] = authorities, context
        return held[1]

    @cached_property
    def context(self) -> ssl.SSLContext:
        """The TLS settings of connections to hosts without authorities of their own."""
        return self._made()

    def _made(self) -> ssl.SSLContext:
        context = create_urllib3_context()
        context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
        if self._ca_file:
            context.load_verify_locations(cafile=self._ca_file)
        context.sslsocket_class = self._sockets
        return context
