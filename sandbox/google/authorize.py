"""The pages a person passes: choose an account, sign in, agree or cancel."""

from __future__ import annotations

import hmac
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, current_app, g, redirect, render_template, request
from flask import session as browser
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response as AnyResponse

from . import auth_request, grants, scopes, sync_tokens
from .auth_request import AuthRequest, PageError
from .bearer import faults, state
from .model import Person

blueprint = Blueprint("google_authorize", __name__)

_TICKET_LIFE_S = 3600
_CONSENT = "_consent"


@blueprint.route("/o/oauth2/v2/auth", methods=["GET", "POST"])
def authorize() -> AnyResponse | str:
    """Take a person from the client's request to its callback."""
    with state().transaction():
        asked = auth_request.parse(request.args, state())
        if "_error" in request.args:
            return _send_back(asked, {"error": request.args["_error"]})
        if "_auto" in request.args:
            return _automatic(asked)
        if "none" in asked.prompts:
            return _silent(asked)
        if request.method == "POST":
            return _posted(asked)
        if _CONSENT in request.args:
            return _consent_page(asked, _ticket_person(request.args[_CONSENT]))
        person = _signed_in()
        if person and "select_account" not in asked.prompts and _fits_hint(asked, person):
            return _continue_as(asked, person)
        return _chooser(asked, email=asked.login_hint if "@" in asked.login_hint else "")


def _signed_in() -> Person | None:
    return state().world.people.get(browser.get("email", ""))


def _fits_hint(asked: AuthRequest, person: Person) -> bool:
    return asked.login_hint in ("", person.email, person.sub)


def _chooser(asked: AuthRequest, *, email: str = "", problem: str = "") -> str:
    people = [
        person
        for person in state().world.people.values()
        if asked.hd in (None, "*", person.hd) or (asked.hd == "*" and person.hd)
    ]
    return render_template(
        "sign_in.html", app_name=asked.client.name, people=people, email=email, problem=problem
    )


def sign_in(email: str, password: str) -> Person | None:
    """Return the person when the password is right, and remember them in this browser."""
    person = state().world.people.get(email.strip().lower())
    if person is None or not hmac.compare_digest(password.encode(), person.password.encode()):
        return None
    browser["email"] = person.email
    return person


def _posted(asked: AuthRequest) -> AnyResponse | str:
    form = request.form
    if "ticket" in form:
        return _decided(asked, _ticket_person(form["ticket"]))
    if "account" in form:
        person = _signed_in()
        if person and person.email == form["account"]:
            return _continue_as(asked, person)
        return _chooser(asked, email=form["account"])
    person = sign_in(form.get("email", ""), form.get("password", ""))
    if person is None:
        problem = "Wrong email or password. Try again: every password here is “sandbox”."
        return _chooser(asked, email=form.get("email", ""), problem=problem)
    return _continue_as(asked, person)


def _continue_as(asked: AuthRequest, person: Person) -> AnyResponse | str:
    """Ask for consent, or go straight back when nothing new is asked."""
    refused = _refused_by_fault(asked, person)
    if refused:
        return refused
    if "consent" not in asked.prompts and _is_granted(asked, person):
        return _finish(asked, person, list(asked.scopes), asked_consent=False)
    # By way of an address of its own, which can be loaded again and come back to.
    ticket = _tickets().dumps([person.email, _query_digest()])
    return redirect(f"?{urlencode([*_asked_for(), (_CONSENT, ticket)])}", 303)


def _consent_page(asked: AuthRequest, person: Person) -> str:
    return render_template(
        "consent.html",
        app_name=asked.client.name,
        person=person,
        granular=asked.is_granular,
        scopes=[(scope, scopes.label(scope)) for scope in asked.optional_scopes],
        sign_in=bool(asked.sign_in_scopes),
        ticket=request.args[_CONSENT],
    )


def _refused_by_fault(asked: AuthRequest, person: Person) -> AnyResponse | None:
    g.person = person.email
    if faults().take(person.email, "needs_admin_approval"):
        raise PageError(
            400,
            "admin_policy_enforced",
            "Please contact your administrator: your organisation blocks this app.",
        )
    if faults().take(person.email, "access_denied_redirect"):
        return _send_back(asked, {"error": "access_denied"})
    return None


def _is_granted(asked: AuthRequest, person: Person) -> bool:
    held = state().world.grants.get(f"{person.email} {asked.client.project}")
    return held is not None and set(asked.scopes) <= set(held.scopes)


def _tickets() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(state().world.secret_key, salt="consent")


def _query_digest() -> str:
    return sync_tokens.digest(sorted(_asked_for()))


def _asked_for() -> list[tuple[str, str]]:
    return [item for item in request.args.items(multi=True) if item[0] != _CONSENT]


def _ticket_person(ticket: str) -> Person:
    """Return whose consent page this was. Raises PageError for another request's ticket."""
    try:
        email, digest = _tickets().loads(ticket, max_age=_TICKET_LIFE_S)
    except BadSignature as problem:
        raise PageError(400, "invalid_request", "This page has expired.") from problem
    if digest != _query_digest():
        raise PageError(400, "invalid_request", "This page belongs to another request.")
    return state().find_person(email)


def _decided(asked: AuthRequest, person: Person) -> AnyResponse:
    g.person = person.email
    if "cancel" in request.form or not {"allow", "grant_all"} & request.form.keys():
        return _send_back(asked, {"error": "access_denied"})
    everything = "grant_all" in request.form or not asked.is_granular
    ticked = asked.optional_scopes if everything else request.form.getlist("scope")
    return _finish(asked, person, ticked, asked_consent="consent" in asked.prompts)


def _automatic(asked: AuthRequest) -> AnyResponse:
    """Answer without pages, for tests: `_auto=<email>` and perhaps `_grant=<scope>,<scope>`."""
    person = state().world.people.get(request.args["_auto"].strip().lower())
    if person is None:
        raise PageError(400, "invalid_request", "Nobody here has that address.")
    refused = _refused_by_fault(asked, person)
    if refused:
        return refused
    ticked = asked.optional_scopes
    if "_grant" in request.args:
        ticked = scopes.parse(request.args["_grant"].replace(",", " "))
        ticked += [scopes.PREFIX + name for name in ticked]
    return _finish(asked, person, ticked, asked_consent="consent" in asked.prompts)


def _silent(asked: AuthRequest) -> AnyResponse:
    """`prompt=none`: answer at once, by a code or by what stands in the way."""
    person = _signed_in()
    if person is None or not _fits_hint(asked, person):
        return _send_back(asked, {"error": "login_required"})
    if not _is_granted(asked, person):
        return _send_back(asked, {"error": "consent_required"})
    return _finish(asked, person, list(asked.scopes), asked_consent=False)


def _finish(
    asked: AuthRequest, person: Person, ticked: list[str], *, asked_consent: bool
) -> AnyResponse:
    g.person = person.email
    code = asked.code_for(state(), person, ticked, consented=asked_consent)
    answer = {
        "iss": current_app.config["ISSUER"],
        "code": grants.agree(state(), code),
        "scope": " ".join(code.scopes),
        "authuser": "0",
        "prompt": "consent" if asked_consent else "none",
    }
    if person.hd:
        answer["hd"] = person.hd
    return _send_back(asked, answer)


def _send_back(asked: AuthRequest, answer: dict[str, str]) -> AnyResponse:
    """Redirect to the client; the order of the parameters varies, as it does at Google."""
    if asked.state is not None:
        answer["state"] = asked.state
    items = list(answer.items())
    turn = state().next_change() % len(items)
    query = urlencode([*items[turn:], *items[:turn]])
    return redirect(f"{asked.redirect_uri}?{query}", 302)


def register(app: Flask) -> None:
    """Serve the pages, and draw refusals without a way back."""
    app.register_blueprint(blueprint)

    @app.errorhandler(PageError)
    def refuse(error: PageError) -> Response:
        page = render_template("error.html", error=error)
        return Response(page, error.status, content_type="text/html; charset=utf-8")
