"""What can go wrong with iCloud, by name."""

from __future__ import annotations

FAULTS: dict[str, str] = {
    "token_expired": "The sync token is invalid: 403 with its element, or the `style` bare_403, "
    "400, 409, 410, 412, 500, everything.",
    "throttle_429": "429 with Retry-After in `seconds` (2); the `style` date or none.",
    "throttle_503": "503 with Retry-After in `seconds` (2); the `style` date or none.",
    "bare_403": "403 without a body, as iCloud limits requests.",
    "server_error_500": "500 without a body.",
    "html_error": "502 with a body of HTML.",
    "slow": "The answer comes after `seconds` (5).",
    "drip": "The body drips for `seconds` (5).",
    "truncated_body": "The connection is cut half-way through the body.",
    "reset_before": "The connection is cut before anything is done.",
    "reset_after": "The connection is cut when all is done, before the answer.",
    "cut_xml": "207 with XML that stops in the middle.",
    "cut_ical": "Sound XML with iCalendar that stops in the middle.",
    "revoked": "The app-specific password is refused, 401; `after` that many requests.",
    "main_password_changed": "Every app-specific password is refused, 401.",
    "calendar_off": "iCloud Calendar is switched off: 401 although the password is right.",
    "etag_flap": "Etags change on every poll, contents do not.",
    "dup_uid": "Two objects of one calendar have the same UID.",
    "bad_ics": "An object is not iCalendar.",
    "huge_ics": "An object has 2 MB.",
    "secondly_rule": "An event repeats every second for ever.",
    "lost_home": "The home is on another partition: 404 on the old one.",
    "empty_listing": "Listings are empty, as in an outage.",
    "gone_calendar": "404 for `calendar`, or for every one but the first.",
    "redirect_evil": "Redirected to a stranger; with the `style` href the home is there.",
    "partition_redirect": "The entry redirects to the partition, 301.",
    "xxe": "207 with an external entity.",
    "billion_laughs": "207 with entities that grow.",
    "delayed_multiget": "Multiget does not have the newest of the objects asked for yet.",
    "paged_sync": "Changes come 20 at a time, with 507.",
    "no_ctag": "Calendars have no ctag.",
    "no_sync": "There are no sync tokens, and no reports by them.",
    "no_privileges": "Calendars do not say what may be done with them.",
    "old_window_403": "403 for time ranges that start more than a year ago.",
    "put_without_etag": "PUT answers without ETag.",
    "housekeeping": "After a PUT the etag changes once more by itself.",
}
"""Every fault by name, with what it does in one line."""
