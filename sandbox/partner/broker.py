"""The partner's client of the broker: plain requests, as any application would send them."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote, urlencode

import requests

TIMEOUT_S = 15
MOST_PAGES = 20


class Refused(Exception):
    """The broker answered with an error: its status, and the OAuth code when there is one."""

    def __init__(self, status: int, error: str = "", description: str = "") -> None:
        """Keep what the answer said."""
        super().__init__(" ".join(part for part in (str(status), error, description) if part))
        self.status = status
        self.error = error
        self.description = description


class Away(Exception):
    """The broker does not answer."""


class Broker:
    """One application's view of the broker at *url*."""

    def __init__(
        self, url: str, client_id: str, client_secret: str, http: requests.Session | None = None
    ) -> None:
        """Use *http* in place of a session of our own."""
        self.url = url.rstrip("/")
        self.client_id = client_id
        self._secret = client_secret
        self._http = http or requests.Session()
        self._http.trust_env = False
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def authorize_url(self, params: dict[str, str]) -> str:
        """Give the address to send a person to; what is empty is left out."""
        query = {"client_id": self.client_id, "response_type": "code", **params}
        return f"{self.url}/oauth/authorize?" + urlencode({k: v for k, v in query.items() if v})

    def exchange(self, code: str, redirect_uri: str, verifier: str) -> dict[str, Any]:
        """Trade a code for tokens, with a JSON body as the SDKs send it."""
        return self._token(
            grant_type="authorization_code",
            code=code,
            redirect_uri=redirect_uri,
            code_verifier=verifier,
        )

    def refresh(self, refresh_token: str) -> dict[str, Any]:
        """Trade the refresh token for a new access token."""
        return self._token(grant_type="refresh_token", refresh_token=refresh_token)

    def revoke(self, token: str) -> None:
        """End the grant (RFC 7009)."""
        self._send("POST", "/oauth/token/revoke", json={**self._credentials(), "token": token})

    def revoke_profile(self, profile_id: str, access_token: str) -> None:
        """Give back one connected calendar service."""
        path = f"/v1/profiles/{quote(profile_id, safe='')}/revoke"
        self._send("POST", path, json={}, headers=_bearer(access_token))

    def get(
        self, path: str, access_token: str, params: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Read one resource."""
        return self._send("GET", path, params=params, headers=_bearer(access_token))

    def pages(
        self, path: str, key: str, access_token: str, params: dict[str, str]
    ) -> list[dict[str, Any]]:
        """Read a list to its last page; the token goes to the broker and nowhere else."""
        answer = self.get(path, access_token, params)
        found = list(answer[key])
        for _ in range(MOST_PAGES - 1):
            following = answer["pages"].get("next_page") or ""
            if not following.startswith(f"{self.url}/"):
                break
            answer = self.get(following.removeprefix(self.url), access_token)
            found += answer[key]
        return found

    def _credentials(self) -> dict[str, str]:
        return {"client_id": self.client_id, "client_secret": self._secret}

    def _token(self, **fields: str) -> dict[str, Any]:
        return self._send("POST", "/oauth/token", json={**self._credentials(), **fields})

    def _send(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(
                method, self.url + path, timeout=TIMEOUT_S, allow_redirects=False, **options
            )
        except requests.RequestException as error:
            raise Away from error
        body = _object(answer)
        if answer.status_code >= 300:
            raise Refused(
                answer.status_code,
                str(body.get("error") or ""),
                str(body.get("error_description") or ""),
            )
        return body


def _bearer(access_token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token}"}


def _object(answer: requests.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
