"""Our authorization server: Authlib's protocol steps over our own storage.

`server.OAuthServer` is the one entry. Each other module is one piece of a standard: grants
(RFC 6749), pkce (7636), revocation (7009), introspection (7662), metadata (8414),
authorization (6749 section 4.1.1, 9207).
"""
