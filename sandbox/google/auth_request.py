"""The authorization request: what a client asks for, checked as Google does."""

from __future__ import annotations

import re
from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from . import grants, scopes
from .model import AuthorizationCode, Client, Person
from .store import Store

_CHALLENGE = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_PROMPTS = {"none", "consent", "select_account"}


class PageError(Exception):
    """A refusal that Google draws itself: the browser never returns to the client."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Take the HTTP status, the code that the page shows, and a sentence."""
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True)
class AuthRequest:
    """One checked request. `scopes` are full names in the order asked."""

    client: Client
    redirect_uri: str
    scopes: tuple[str, ...]
    prompts: frozenset[str]
    offline: bool
    include_granted: bool
    state: str | None
    nonce: str | None
    login_hint: str
    hd: str | None
    challenge: str | None
    challenge_method: str

    @property
    def optional_scopes(self) -> list[str]:
        """The scopes that are not for signing in."""
        return [scope for scope in self.scopes if scope not in scopes.SIGN_IN]

    @property
    def sign_in_scopes(self) -> list[str]:
        """The scopes for signing in."""
        return [scope for scope in self.scopes if scope in scopes.SIGN_IN]

    @property
    def is_granular(self) -> bool:
        """Whether each optional scope has a box of its own."""
        return len(self.optional_scopes) > 1 or bool(self.sign_in_scopes and self.optional_scopes)

    def code_for(
        self, store: Store, person: Person, ticked: list[str], *, consented: bool
    ) -> AuthorizationCode:
        """Return the code for what the person agreed to, merged with earlier grants if asked."""
        agreed = [s for s in self.scopes if s in scopes.SIGN_IN or s in ticked]
        if self.include_granted:
            agreed += grants.grant_of(store, person.email, self.client).scopes
        return AuthorizationCode(
            email=person.email,
            client_id=self.client.client_id,
            redirect_uri=self.redirect_uri,
            scopes=list(dict.fromkeys(agreed)),
            expires_at=store.now() + grants.CODE_LIFE,
            offline=self.offline,
            consented=consented,
            nonce=self.nonce,
            challenge=self.challenge,
            challenge_method=self.challenge_method,
        )


def parse(args: MultiDict[str, str], store: Store) -> AuthRequest:
    """Check the query. Raises PageError, since no refusal here may redirect."""
    client = _client(args, store)
    redirect_uri = _needed(args, "redirect_uri")
    if not grants.redirect_matches(client, redirect_uri):
        raise PageError(
            400, "redirect_uri_mismatch", f"redirect_uri={redirect_uri} is not registered."
        )
    if _needed(args, "response_type") != "code":
        raise PageError(400, "unsupported_response_type", "Only response_type=code is served.")
    asked = scopes.parse(_needed(args, "scope"))
    if scopes.unknown(asked):
        raise PageError(
            400, "invalid_scope", f"Some requested scopes were invalid: {scopes.unknown(asked)}"
        )
    challenge, challenge_method = _challenge(args)
    return AuthRequest(
        client=client,
        redirect_uri=redirect_uri,
        scopes=tuple(asked),
        prompts=_prompts(args),
        offline=_choice(args, "access_type", ("online", "offline")) == "offline",
        include_granted=_choice(args, "include_granted_scopes", ("false", "true")) == "true",
        state=args.get("state"),
        nonce=args.get("nonce"),
        login_hint=args.get("login_hint", "").strip().lower(),
        hd=args.get("hd"),
        challenge=challenge,
        challenge_method=challenge_method,
    )


def _needed(args: MultiDict[str, str], name: str) -> str:
    value = args.get(name)
    if not value:
        raise PageError(400, "invalid_request", f"Required parameter is missing: {name}")
    if len(args.getlist(name)) > 1:
        raise PageError(400, "invalid_request", f"Parameter appears more than once: {name}")
    return value


def _client(args: MultiDict[str, str], store: Store) -> Client:
    client = store.world.clients.get(_needed(args, "client_id"))
    if client is None:
        raise PageError(401, "invalid_client", "The OAuth client was not found.")
    return client


def _choice(args: MultiDict[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = args.get(name, choices[0])
    if value not in choices:
        raise PageError(400, "invalid_request", f"Invalid parameter value for {name}: {value}")
    return value


def _prompts(args: MultiDict[str, str]) -> frozenset[str]:
    prompts = frozenset(args.get("prompt", "").split())
    if not prompts <= _PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise PageError(400, "invalid_request", "Invalid parameter value for prompt")
    return prompts


def _challenge(args: MultiDict[str, str]) -> tuple[str | None, str]:
    challenge = args.get("code_challenge")
    challenge_method = args.get("code_challenge_method", "plain")
    if challenge_method not in ("S256", "plain"):
        raise PageError(400, "invalid_request", "Invalid code_challenge_method")
    if challenge is None and "code_challenge_method" in args:
        raise PageError(400, "invalid_request", "code_challenge is missing")
    if challenge is not None and not _CHALLENGE.fullmatch(challenge):
        raise PageError(400, "invalid_request", "Invalid code_challenge")
    return challenge, challenge_method
