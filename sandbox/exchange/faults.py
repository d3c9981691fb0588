"""What can go wrong with Exchange, by name."""

from __future__ import annotations

FAULTS: dict[str, str] = {
    "version": "The server is of the version in `style`: Exchange2007_SP1, Exchange2010, "
    "Exchange2010_SP1, Exchange2010_SP3, Exchange2013, Exchange2016, Exchange2019, ExchangeSE.",
    "schemes": "Sign-in is by the schemes in `style`: basic, ntlm, negotiate (with NTLM inside), "
    "kerberos (Negotiate that takes no NTLM), bearer, none, joined with commas.",
    "extended_protection": "Channel binding by `style`: require (as without one), allow, none, or "
    "bridged, where a proxy with another certificate ends TLS.",
    "certificate": "The certificate by `style`: wrong_name (as without one), expired, unknown_ca, "
    "self_signed.",
    "disabled": "The account is disabled: 401 as for a wrong password.",
    "locked": "The account is locked: 401 as for a wrong password.",
    "password_expired": "The password has expired: 401.",
    "password_changed": "The password is no longer right: 401, and counted.",
    "mfa_only": "Only modern sign-in is taken: 401 with Bearer.",
    "spurious_401": "The right password is refused, as while the server fails over.",
    "challenge_loop": "The connection is closed after the NTLM challenge, as by a load balancer.",
    "login_redirect": "302 to the sign-in page of OWA; the `style` error is to genericerrorpage.",
    "login_page": "200 with the sign-in page of OWA.",
    "forbidden": "403 without a body: EWS is switched off, or the User-Agent is blocked.",
    "agent_blocked": "403 for a User-Agent that contains `style`.",
    "not_found": "404: no EWS here.",
    "login_timeout": "440 Login Timeout, as OWA answers.",
    "server_error": "500 without XML.",
    "not_implemented": "501.",
    "bad_gateway": "502 with HTML.",
    "unavailable": "503 with Retry-After in `seconds` (2); the `style` bare has none.",
    "busy": "ErrorServerBusy as a fault with BackOffMilliseconds for `seconds` (2); or the `style` "
    "response, inner or status.",
    "fault": "A SOAP fault with the code in `style` (ErrorInternalServerError).",
    "response": "Every response message is an error with the code in `style`.",
    "batch_stopped": "The second of several things fails and the rest are "
    "ErrorBatchProcessingStopped.",
    "damaged_item": "Items whose subject has `style` in it fail with ErrorInternalServerError.",
    "slow": "The answer comes after `seconds` (5).",
    "reset_before": "The connection is cut before anything is done.",
    "reset_after": "The connection is cut when all is done, before the answer.",
    "truncated_body": "The connection is cut half-way through the body.",
    "drip": "The body drips for `seconds` (5).",
    "endless_body": "The body never ends.",
    "gzip_bomb": "A small body that grows to 1 GB.",
    "truncated_xml": "200 with XML that stops in the middle.",
    "control_characters": "200 with characters that XML does not allow.",
    "byte_order_mark": "200 with a byte order mark before the XML.",
    "dtd": "200 with entities that grow; the `style` file has one of a local file.",
    "unknown_kinds": "Items of a kind that nobody knows are among the changes and rows.",
    "sync_state_dead": "The sync state is no longer valid: ErrorInvalidSyncStateData.",
    "mailbox_moved": "The mailbox has moved: ErrorMailboxMoveInProgress, or the code in `style`.",
    "subscription_lost": "Subscriptions are forgotten: ErrorSubscriptionNotFound.",
    "stream_cut": "The connection of a streaming answer is cut, as proxies do.",
    "impersonation_denied": "The service account may not act for the person.",
    "autodiscover": "Autodiscover by `style`. Redirected: address, cloud (onmicrosoft.com), url, "
    "loop, http, outsider, private, http_redirect (only without TLS). EWS elsewhere: "
    "internal_only, ews_http, ews_outsider, ews_private. Errors: 500, 600, 603, busy, 401, html, "
    "missing. The root domain: basic_site, www.",
}
"""Every fault by name, with what it does in one line."""
