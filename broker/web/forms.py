"""The forms people fill in.

Labels and errors are marked texts: the templates translate them when they show them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from flask_wtf import FlaskForm
from wtforms import BooleanField, EmailField, Field, HiddenField, PasswordField, StringField
from wtforms.validators import (
    DataRequired,
    InputRequired,
    Length,
    Regexp,
    StopValidation,
    ValidationError,
)

from broker.logins import Login
from broker.web.phrases import Words
from broker.web.translations import N_
from broker.web.typed_text import EMAIL, is_email, lower_domain, trimmed, without_password

# In the order in which they stand on a page.
VISIBLE_FIELDS = ("email", "url", "username", "password", "app_code", "agree")
LONGEST_ADDRESS = 2000
LONGEST_USERNAME = 320
LONGEST_EMAIL = 254
LONGEST_PASSWORD = 1000
MOST_CONFIRMED = 8
# Room for an app-specific password with all that copying may have put around it.
LONGEST_APP_CODE = 200
_AS_TYPED = {"autocapitalize": "off", "spellcheck": "false"}
# Safari also corrects what it takes for words.
_AS_TYPED_AT_APPLE = {"autocapitalize": "none", "autocorrect": "off", "spellcheck": "false"}
# A mail domain that a server can be looked for at.
_WORK_EMAIL = re.compile(r"[^@\s/:]+@[^@\s/:.]+(?:\.[^@\s/:.]+)+")
# With Basic a colon ends the name (RFC 7617 section 2): it would be another account's.
_USERNAME = Regexp(r"[^:]*\Z", message=N_("A user name has no colon in it. Check it."))


class CancelForm(FlaskForm):
    """The button that says no."""


class ConnectForm(FlaskForm):
    """The button that says yes, with the agreement when the operator has terms to agree to."""

    agree = BooleanField(
        validators=[DataRequired(N_("Tick the box to go on."))],
    )

    def __init__(self, *args: Any, with_terms: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not with_terms:
            del self.agree


class PasswordForm(ConnectForm):
    """A login to be typed.

    *template* shows its fields, *kept* names those that outlive a page, and *secret* the one
    that never does.
    """

    template: ClassVar[str]
    kept: ClassVar[tuple[str, ...]]
    secret: ClassVar[str]

    def login(self) -> Login:
        """Give what was typed; only after the form was found to be valid."""
        raise NotImplementedError

    def sent(self) -> dict[str, str]:
        """Give all that makes one sending of the form the same as another."""
        return {name: self[name].data or "" for name in (*self.kept, self.secret)}

    def to_keep(self) -> dict[str, str]:
        """Give what outlives a page, without the password that some write into an address."""
        return {name: without_password(self[name].data or "") for name in self.kept}


class ConfirmableForm(PasswordForm):
    """A login at a host that may turn out to be another than the one that was typed.

    *confirmed* lists the hosts that the person said yes to, *confirmed_for* what was typed then:
    with something else in those fields the question is open again.
    """

    confirmed = HiddenField(validators=[Length(max=LONGEST_ADDRESS)])
    confirmed_for = HiddenField(validators=[Length(max=2 * LONGEST_ADDRESS)])

    def confirmed_hosts(self) -> frozenset[str]:
        """Give the hosts that were confirmed for what is typed now."""
        agreed = self.confirmed_for.data == self._about()
        said = (self.confirmed.data or "").split() if agreed else []
        # Nobody is asked about so many: each takes a seat at the login guard.
        return frozenset(said) if len(said) <= MOST_CONFIRMED else frozenset()

    def confirm(self, host: str) -> None:
        """Let the next submission of this form say yes to *host* as well."""
        self.confirmed.data = " ".join(sorted({*self.confirmed_hosts(), host}))
        self.confirmed_for.data = self._about()

    def _about(self) -> str:
        return " ".join(self[name].data or "" for name in self.kept)


class _UnlessEmailAbove:
    """Ask for a user name, unless the e-mail address above it can stand in for one."""

    def __call__(self, form: CalDavForm, field: Field) -> None:
        if field.data:
            return
        if is_email(form.url.data):
            raise StopValidation
        raise ValidationError(N_("Type your user name."))


class CalDavForm(ConfirmableForm):
    """Where a calendar server is, and who the person is there."""

    template = "fields/caldav.html"
    kept = ("url", "username")
    secret = "password"  # noqa: S105 - the name of a field

    url = StringField(
        N_("Server address or e-mail address"),
        filters=[trimmed],
        validators=[
            DataRequired(N_("Type the server address or your e-mail address.")),
            Length(max=LONGEST_ADDRESS, message=N_("This address is too long. Check it.")),
        ],
        # Not type=url or type=email: browsers would refuse the other, or a bare host name.
        render_kw={"autocomplete": "email", "inputmode": "email", "dir": "ltr", **_AS_TYPED},
    )
    username = StringField(
        N_("User name"),
        filters=[trimmed],
        validators=[
            _UnlessEmailAbove(),
            Length(max=LONGEST_USERNAME, message=N_("This user name is too long. Check it.")),
            _USERNAME,
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

    def login(self) -> Login:
        """Give what was typed; with an e-mail address alone, the user name is empty."""
        return Login(
            self.url.data, self.username.data or "", self.password.data, self.confirmed_hosts()
        )


class AppleForm(PasswordForm):
    """An Apple Account and an app-specific password for it.

    The second field is no login for *our* address: its name is neutral and password managers
    are asked to leave it alone, or they would offer to save it for us or fill in another.
    """

    template = "fields/apple.html"
    kept = ("email",)
    secret = "app_code"  # noqa: S105 - the name of a field

    email = EmailField(
        N_("E-mail address of your Apple Account"),
        filters=[lower_domain],
        validators=[
            DataRequired(N_("Type the e-mail address of your Apple Account.")),
            Regexp(EMAIL, message=N_("This is not a whole e-mail address. Check it.")),
            Length(max=LONGEST_USERNAME, message=N_("This address is too long. Check it.")),
        ],
        render_kw={
            "autocomplete": "email",
            "inputmode": "email",
            "dir": "ltr",
            **_AS_TYPED_AT_APPLE,
        },
    )
    app_code = PasswordField(
        N_("App-specific password"),
        validators=[
            InputRequired(N_("Paste or type the app-specific password.")),
            Length(
                max=LONGEST_APP_CODE,
                message=N_("This is too long for an app-specific password. We sent it nowhere."),
            ),
        ],
        render_kw={
            "autocomplete": "off",
            "dir": "ltr",
            "data-1p-ignore": True,
            "data-lpignore": "true",
            "data-bwignore": True,
            **_AS_TYPED_AT_APPLE,
        },
    )

    def login(self) -> Login:
        """Give what was typed; where iCloud is, is not for people to say."""
        return Login("", self.email.data, self.app_code.data)


class _NoEmail:
    """Keep a mail address from being taken for that of a server."""

    def __call__(self, form: FlaskForm, field: Field) -> None:
        if is_email(field.data):
            raise ValidationError(N_("This is an e-mail address. Leave the field empty instead."))


class ExchangeForm(ConfirmableForm):
    """A mail address and password at work; server and user name only where the search fails."""

    template = "fields/exchange.html"
    kept = ("email", "url", "username")
    secret = "password"  # noqa: S105 - the name of a field

    email = EmailField(
        N_("E-mail address at work"),
        filters=[lower_domain],
        validators=[
            DataRequired(N_("Type your e-mail address at work.")),
            Regexp(_WORK_EMAIL, message=N_("This is not a whole e-mail address. Check it.")),
            Length(max=LONGEST_EMAIL, message=N_("This address is too long. Check it.")),
        ],
        render_kw={"autocomplete": "email", "inputmode": "email", "dir": "ltr", **_AS_TYPED},
    )
    password = PasswordField(
        N_("Password"),
        validators=[
            InputRequired(N_("Type your password.")),
            Length(max=LONGEST_PASSWORD, message=N_("This password is too long. Check it.")),
        ],
        render_kw={"autocomplete": "current-password", "dir": "ltr", **_AS_TYPED},
    )
    url = StringField(
        N_("Server address"),
        filters=[trimmed],
        validators=[
            Length(max=LONGEST_ADDRESS, message=N_("This address is too long. Check it.")),
            _NoEmail(),
        ],
        render_kw={"autocomplete": "off", "inputmode": "url", "dir": "ltr", **_AS_TYPED},
    )
    username = StringField(
        N_("User name"),
        filters=[trimmed],
        validators=[
            Length(max=LONGEST_USERNAME, message=N_("This user name is too long. Check it.")),
            _USERNAME,
        ],
        render_kw={"autocomplete": "username", "dir": "ltr", **_AS_TYPED},
    )

    def login(self) -> Login:
        """Give what was typed; server and user name may be empty."""
        return Login(
            self.url.data or "",
            self.username.data or "",
            self.password.data,
            self.confirmed_hosts(),
            self.email.data,
        )

    def needs_more(self, words: Words | None) -> bool:
        """Tell whether the folded fields are of use now: filled in, wrong, or what may help."""
        folded = (self.url, self.username)
        if words and (words.unfolds or words.field in {field.name for field in folded}):
            return True
        return any(field.data or field.errors for field in folded)


FORMS: Mapping[str, type[PasswordForm]] = {
    "apple": AppleForm,
    "exchange": ExchangeForm,
    "caldav": CalDavForm,
}
