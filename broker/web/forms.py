"""The forms people fill in.

Labels and errors are marked texts: the templates translate them when they show them.
"""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, StringField
from wtforms.validators import DataRequired, InputRequired, Length

from broker.web.translations import N_

# In the order in which they stand on a page.
VISIBLE_FIELDS = ("url", "username", "password", "agree")
LONGEST_ADDRESS = 2000
LONGEST_USERNAME = 320
LONGEST_PASSWORD = 1000
_AS_TYPED = {"autocapitalize": "off", "spellcheck": "false"}


def trimmed(text: str | None) -> str | None:
    """Take off the blanks that copying and phone keyboards add around a value."""
    return text.strip() if text else text


class CancelForm(FlaskForm):  # type: ignore[misc]
    """The button that says no."""


class ConnectForm(FlaskForm):  # type: ignore[misc]
    """The button that says yes, with the agreement when the operator has terms to agree to."""

    agree = BooleanField(
        validators=[DataRequired(N_("Tick the box to go on."))],
    )

    def __init__(self, *args: Any, with_terms: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not with_terms:
            del self.agree


class CalDavForm(ConnectForm):
    """Where a calendar server is, and who the person is there."""

    url = StringField(
        N_("Server address"),
        filters=[trimmed],
        validators=[
            DataRequired(N_("Type the server address.")),
            Length(max=LONGEST_ADDRESS, message=N_("This address is too long. Check it.")),
        ],
        # Not type=url: browsers refuse a bare host name there, and we accept one.
        render_kw={"autocomplete": "url", "inputmode": "url", "dir": "ltr", **_AS_TYPED},
    )
    username = StringField(
        N_("User name"),
        filters=[trimmed],
        validators=[
            DataRequired(N_("Type your user name.")),
            Length(max=LONGEST_USERNAME, message=N_("This user name is too long. Check it.")),
        ],
        render_kw={"autocomplete": "username", "dir": "ltr", **_AS_TYPED},
    )
    password = PasswordField(
        N_("Password"),
        validators=[
            InputRequired(N_("Type your password.")),
            Length(max=LONGEST_PASSWORD, message=N_("This password is too long. Check it.")),
        ],
        render_kw={"autocomplete": "current-password", "dir": "ltr", **_AS_TYPED},
    )
