"""The words for reason codes about iCloud, where the password is one made for the purpose."""

from __future__ import annotations

from broker.web.phrases import Press, Words
from broker.web.translations import N_

APPLE = {
    "app_password_shape": Words(
        N_("That is not an app-specific password"),
        N_("If it was your normal Apple password: we sent it nowhere and did not keep it."),
        N_("Make an app-specific password with the four steps on this page, and paste it here."),
        N_("Try again"),
        Press.RETRY,
        field="app_code",
        beside=N_("Not sent. It has 16 letters in four groups, like abcd-efgh-ijkl-mnop."),
    ),
    "apple_login_rejected": Words(
        N_("Apple did not accept this e-mail address and password"),
        N_("iCloud answered, but the two do not go together. We asked only once."),
        N_("Check these points. If in doubt, make a new app-specific password and paste it here."),
        N_("Try again"),
        Press.RETRY,
        field="app_code",
        checks=(
            N_("Is it the Apple Account that holds the calendar, and was the password made there?"),
            N_("Was the password removed, or the main Apple password changed? Both end it."),
            N_("Is Calendar switched on in the iCloud settings of your iPhone, iPad or Mac?"),
            N_("Was this one of many tries? Then Apple may want a pause of a few minutes."),
        ),
    ),
    "calendar_off": Words(
        N_("iCloud Calendar is switched off"),
        N_("The login is right, but this Apple Account keeps no calendar in iCloud."),
        N_(
            "On your iPhone or iPad, open Settings, tap your name, iCloud, See All, and switch"
            " Calendar on. Or use another Apple Account."
        ),
        N_("Try again"),
        Press.RETRY,
        field="email",
    ),
}
