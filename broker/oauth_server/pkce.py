"""PKCE (RFC 7636) with S256 only, and not optional for public clients."""

from __future__ import annotations

import re
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7636 import CodeChallenge

from broker.crypto import s256_challenge, same

METHOD = "S256"

_FORMAT = re.compile(r"[A-Za-z0-9\-._~]{43,128}", re.ASCII)


def _matches(verifier: str, challenge: str) -> bool:
    return same(s256_challenge(verifier).encode(), challenge.encode())


class S256Challenge(CodeChallenge):
    """Authlib's extension, made strict.

    Left alone it lets clients use `plain`, by name or by leaving the method out, lets public
    clients begin without a challenge, and lets a line break end a challenge or verifier.
    See RFC 9700 section 2.1.1.
    """

    DEFAULT_CODE_CHALLENGE_METHOD = METHOD
    SUPPORTED_CODE_CHALLENGE_METHOD = (METHOD,)
    CODE_CHALLENGE_METHODS = {METHOD: _matches}  # noqa: RUF012

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        super().validate_code_challenge(grant, redirect_uri)
        fields = grant.request.payload.data
        challenge = fields.get("code_challenge")
        if challenge is None:
            if grant.request.client.public:
                raise InvalidRequestError("This application must send a 'code_challenge'.")
            return
        if fields.get("code_challenge_method") != METHOD:
            raise InvalidRequestError("The 'code_challenge_method' must be S256.")
        if not _FORMAT.fullmatch(challenge):
            raise InvalidRequestError("Invalid 'code_challenge'")

    def validate_code_verifier(self, grant: Any, result: Any) -> None:
        verifier = grant.request.form.get("code_verifier")
        if verifier is not None and not _FORMAT.fullmatch(verifier):
            raise InvalidRequestError("Invalid 'code_verifier'")
        super().validate_code_verifier(grant, result)

    def get_authorization_code_challenge_method(self, authorization_code: Any) -> str:
        return METHOD
