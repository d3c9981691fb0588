"""A transport that leads the names of the stand-in's company to where it listens."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter


class Detour(HTTPAdapter):
    """Connects to a loopback port, and checks the certificate against the name all the same."""

    def __init__(self, port: int, ca_file: str) -> None:
        super().__init__()
        self._port = port
        self._ca_file = ca_file

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: Any,
        proxies: Any = None,
        cert: Any = None,
    ) -> Any:
        """Give the pool of a name's own connections."""
        parts = urlsplit(request.url or "")
        if parts.scheme == "http":
            return self.poolmanager.connection_from_host("127.0.0.1", self._port, "http")
        names = {"server_hostname": parts.hostname, "assert_hostname": parts.hostname}
        trust = {"ca_certs": self._ca_file, "cert_reqs": "CERT_REQUIRED"}
        return self.poolmanager.connection_from_host(
            "127.0.0.1", self._port, "https", pool_kwargs=names | trust
        )

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the pool knows whom to trust."""

    def add_headers(self, request: requests.PreparedRequest, **kwargs: Any) -> None:
        """Name the host that was asked for, not the loopback address."""
        request.headers["Host"] = urlsplit(request.url or "").netloc
