"""The address that a person sends to their IT department. It needs no login and sets no cookie."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, make_response, request, url_for
from flask.typing import ResponseReturnValue

from broker.addresses import client_place
from broker.errors import NotFound
from broker.services import applications, it_links
from broker.services.connection_doctor import Diagnosis
from broker.services.runtime import current_runtime
from broker.web import it_page, pages
from broker.web.it_page import DAY_FORMAT, ItLink
from broker.web.layout import as_app, legal

VIEWS = 60
VIEWS_PER = timedelta(minutes=10)
_HEADERS = {"X-Robots-Tag": "noindex, nofollow, noarchive", "Cache-Control": "no-store"}


def blueprint() -> Blueprint:
    """Make the blueprint of the pages for IT departments."""
    views = Blueprint("it_links", __name__)
    views.get("/for-it/<token>")(show)
    views.errorhandler(NotFound)(over)
    return views


def show(token: str) -> ResponseReturnValue:
    """Show what the doctor found and what to change."""
    runtime = current_runtime()
    key = f"for-it:{client_place(request.remote_addr or '')}"
    runtime.limits.check(key, limit=VIEWS, per=VIEWS_PER)
    runtime.limits.count(key, per=VIEWS_PER)
    diagnosis = it_links.opened(runtime, token)
    asking = applications.find(diagnosis.application_id)
    answer = it_page.show(
        diagnosis,
        app=as_app(asking) if asking is not None else None,
        place=runtime.settings.public_url,
        outgoing=runtime.settings.outgoing_addresses,
        closes_at=it_links.closes_at(diagnosis),
        legal=legal(),
    )
    return _private(answer)


def over(_error: NotFound) -> ResponseReturnValue:
    """Say that there is nothing at this address, or no longer."""
    return _private(pages.problem("it_link_over", status=404, legal=legal()))


def link_to(diagnosis: Diagnosis) -> ItLink | None:
    """Give the link for an IT department, where one can help."""
    runtime = current_runtime()
    token = it_links.token_of(runtime, diagnosis)
    if token is None:
        return None
    path = url_for("it_links.show", token=token)
    until = it_links.closes_at(diagnosis).strftime(DAY_FORMAT)
    return ItLink(f"{runtime.settings.public_url}{path}", until)


def _private(answer: ResponseReturnValue) -> ResponseReturnValue:
    """Keep an answer out of caches and search engines."""
    made = make_response(answer)
    made.headers.update(_HEADERS)
    return made
