"""The sandbox's own page: who lives here, which faults there are, and their switches."""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from .scenarios import Refused, Scenarios

blueprint = Blueprint("home", __name__)

_FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


@blueprint.get("/sandbox")
def page() -> str:
    """Show people, faults and seeds."""
    return _page()


@blueprint.get("/scenarios")
def show() -> dict[str, Any]:
    """Tell which faults are on and which there are."""
    return {
        "active": _scenarios().active(),
        "faults": {name: dict(s.faults.catalogue) for name, s in _scenarios().stand_ins.items()},
    }


@blueprint.post("/scenarios")
def switch_on() -> Response | dict[str, Any] | tuple[str | dict[str, Any], int]:
    """Switch a fault on, from JSON or from the form of the page."""
    from_form = request.mimetype in _FORM_TYPES
    wanted = _form() if from_form else request.get_json(force=True, silent=True)
    try:
        _scenarios().switch_on(wanted)
    except Refused as refusal:
        if from_form:
            return _page(str(refusal)), 400
        return {"error": str(refusal)}, 400
    if from_form:
        return redirect(url_for(".page"), 303)
    return {"active": _scenarios().active()}


@blueprint.delete("/scenarios")
def switch_off() -> dict[str, Any]:
    """Switch every fault off."""
    _scenarios().clear()
    return {}


@blueprint.post("/scenarios/clear")
def switch_off_by_form() -> Response:
    """Switch every fault off, from the page."""
    _scenarios().clear()
    return redirect(url_for(".page"), 303)


@blueprint.post("/sandbox/seed")
def seed() -> Response | tuple[str, int]:
    """Add events to a person's calendar, as `POST /google/seed` and the like do with JSON."""
    person, count = request.form.get("person", ""), request.form.get("events", "")
    stand_ins = _scenarios().stand_ins
    where = next((s for s in stand_ins.values() if person in s.people()), stand_ins["google"])
    answer = where.app.test_client().post(
        "/seed",
        json={
            "person": person,
            "events": int(count) if count.isdecimal() else None,
        },
    )
    if answer.status_code != 200:
        return _page(answer.get_json()["error"]), 400
    return redirect(url_for(".page", _anchor="seed"), 303)


def _scenarios() -> Scenarios:
    return cast(Scenarios, current_app.extensions["scenarios"])


def _page(problem: str = "") -> str:
    return render_template("sandbox/page.html", scenarios=_scenarios(), problem=problem)


def _form() -> dict[str, Any]:
    """Read the form as the JSON it stands for; empty fields are absent ones."""
    fields: dict[str, Any] = {name: value for name, value in request.form.items() if value}
    if str(fields.get("times", "")).isdecimal():
        fields["times"] = int(fields["times"])
    return fields
