"""What can go wrong with Google, by name.

Faults of rooms (Directory API) and of service accounts (JWT grant, clock skew) come with Enterprise
Connect, which nothing here plays yet.
"""

from __future__ import annotations

FAULTS: dict[str, str] = {
    "expired_sync_token": "Calendar: the sync token is no longer valid, 410 fullSyncRequired.",
    "throttled_429": "Calendar: 429 rateLimitExceeded with Retry-After: 2.",
    "throttled_403": "Calendar: 403 rateLimitExceeded.",
    "quota_403": "Calendar: 403 quotaExceeded, the usage limits against abuse.",
    "server_error_500": "Calendar: 500 backendError.",
    "bad_gateway_502": "Calendar: 502 with a body of HTML.",
    "unavailable_503": "Calendar: 503 backendError.",
    "gateway_timeout_504": "Calendar: 504 with a body of HTML.",
    "slow_headers": "Calendar: nothing comes for `seconds` (5), then the answer.",
    "slow": "Calendar: the body drips for `seconds` (5).",
    "truncated_body": "Calendar: the connection is cut half-way through the body.",
    "reset_before_write": "Calendar: the connection is reset before a write is done.",
    "reset_after_write": "Calendar: the connection is reset after a write, whose answer is lost.",
    "stale_read": "Calendar: events are read as they were before their calendar's last change.",
    "oversized_body": "Calendar: a body of more than 60 MB.",
    "invalid_json": "Calendar: 200 with JSON that stops in the middle.",
    "empty_page": "Calendar: the first page of events is empty and has a next page.",
    "out_of_order": "Calendar: exceptions come before their series.",
    "dup_events": "Calendar: the last event of a page comes again on the next.",
    "gone_calendar": "Calendar: 404 for `calendar`, or for every one but the primary.",
    "lost_push": "Push: the notification is not sent.",
    "dup_push": "Push: the notification is sent twice.",
    "revoked_grant": "Sign-in is gone: invalid_grant on refresh, 401 at the API.",
    "rotate_refresh": "Token: refreshing gives a new refresh token and the old one dies.",
    "no_refresh_token": "Token: the code is exchanged without a refresh token.",
    "partial_scopes": "Token: the calendar scopes are missing, as if no box was ticked.",
    "invalid_client": "Token: 401 invalid_client.",
    "refresh_500": "Token: 500 internal_failure on refresh.",
    "needs_admin_approval": "Sign-in: Error 400 admin_policy_enforced, without a way back.",
    "access_denied_redirect": "Sign-in: sent back with error=access_denied.",
}
"""Every fault by name, with what it does in one line."""
