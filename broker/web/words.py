"""The words for every reason code.

They are read by somebody who is busy and a little worried: what happened, whose move it is,
what to press; never blame. The codes about typed logins are in `words_apple`,
`words_caldav` and `words_exchange`.
"""

from __future__ import annotations

from broker.web.phrases import GOOGLE_ADMIN, Press, Words
from broker.web.translations import N_
from broker.web.words_apple import APPLE
from broker.web.words_caldav import CALDAV
from broker.web.words_exchange import EXCHANGE

_ATTEMPTS = {
    "unknown_client": Words(
        N_("This link is not right"),
        N_("It names no application that we know, so we stopped. Nothing was shared."),
        N_("The makers of the application can mend it. Tell them that their link is wrong."),
        N_("Go back"),
        Press.BACK,
    ),
    "redirect_uri_mismatch": Words(
        N_("This link leads back to the wrong place"),
        N_("The application did not register the address it wants you sent back to."),
        N_("Its makers can mend that. Nothing was shared, and you are safe to go back."),
        N_("Go back"),
        Press.BACK,
    ),
    "attempt_over": Words(
        N_("This page has run out"),
        N_("For your safety a connection has to be finished within a few minutes, and only once."),
        N_("Start again; it takes a minute. Nothing was connected by this page."),
        N_("Start again"),
        Press.RETRY,
    ),
    "attempt_gone": Words(
        N_("This page has run out"),
        N_("For your safety a connection has to be finished within a few minutes, and only once."),
        N_("Go back to the application that sent you and press its button again."),
        N_("Go back"),
        Press.BACK,
    ),
    "attempt_used": Words(
        N_("This step is already behind you"),
        N_("This page works only once, and it has been used. What you did then still counts."),
        N_("Go back to the application. If your calendar is missing there, connect it once more."),
        N_("Go back"),
        Press.BACK,
    ),
    "cookies_blocked": Words(
        N_("Your browser does not keep cookies here"),
        N_("We need one, so that nobody can step into your connection. Nothing was shared."),
        N_("Allow cookies for this site in the settings of your browser, then try again."),
        N_("Try again"),
        Press.RETRY,
    ),
    "other_browser": Words(
        N_("We lost track of your browser"),
        N_("The connection began in another browser, or this one has deleted our cookie since."),
        N_("Go back to the application in this browser and press its button again."),
        N_("Go back"),
        Press.BACK,
    ),
    "page_expired": Words(
        N_("This page was open for too long"),
        N_("For your safety we no longer accept what was sent from it. Nothing was connected."),
        N_("Open the page afresh and press the button once more."),
        N_("Open the page again"),
        Press.RETRY,
    ),
    "page_renewed": Words(
        N_("This page was open for too long"),
        N_("For your safety we no longer accept what was sent from it. Nothing was connected."),
        N_("This is a fresh page. Press the button once more."),
        N_("Try again"),
        Press.RETRY,
    ),
    "form_renewed": Words(
        N_("This page was open for too long"),
        N_("For your safety we no longer accept what was sent from it. Nothing was connected."),
        N_("This is a fresh page. Press the button once more; a password has to be typed again."),
        N_("Try again"),
        Press.RETRY,
    ),
    "provider_not_offered": Words(
        N_("That calendar is not on offer here"),
        N_("The link asks for a calendar service that cannot be connected in this place."),
        N_("Choose one of the others, or go back."),
        N_("Choose another calendar"),
        Press.OTHER,
    ),
}

_GOOGLE = {
    "access_denied": Words(
        N_("Nothing was connected"),
        N_("Access was not allowed, so we did nothing."),
        N_("If that is what you wanted, go back. If not, try once more."),
        N_("Try again"),
        Press.RETRY,
    ),
    "admin_policy_enforced": Words(
        N_("Your organisation has to allow this first"),
        N_(
            "Your organisation decides which apps may use its Google accounts, and ours is not yet"
            " among them."
        ),
        N_("Send your administrator the client ID below. Once it is trusted, try again."),
        N_("Try again"),
        Press.RETRY,
        for_it=True,
        it=GOOGLE_ADMIN,
    ),
    "org_internal": Words(
        N_("This account belongs to another organisation"),
        N_("Connections are limited here to the Google accounts of one organisation."),
        N_("Sign in with your work account of that organisation."),
        N_("Use another account"),
        Press.RETRY,
    ),
    "access_not_configured": Words(
        N_("Your account may not use this app yet"),
        N_("Google asks an administrator to decide first. This is usual for school accounts."),
        N_("Send your administrator the client ID below. Once it is allowed, try again."),
        N_("Try again"),
        Press.RETRY,
        for_it=True,
        it=GOOGLE_ADMIN,
    ),
    "disallowed_useragent": Words(
        N_("Open this page in your browser"),
        N_("You are inside another app, and Google does not allow signing in from there."),
        N_("Open the same page in Safari, Chrome or Firefox, and go on there."),
        N_("Try again"),
        Press.RETRY,
    ),
    "provider_misconfigured": Words(
        N_("Our connection to this calendar service is not set up properly"),
        N_("The service does not accept us. It has nothing to do with you or your account."),
        N_("Our operator has to mend it. Please try again later."),
        N_("Choose another calendar"),
        Press.OTHER,
    ),
    "provider_unavailable": Words(
        N_("The calendar service is not answering"),
        N_("We asked and got no useful answer. Your account is fine, and nothing was lost."),
        N_("Such moments mostly pass within minutes. Wait a little, then try again."),
        N_("Try again"),
        Press.RETRY,
    ),
    "rate_limited": Words(
        N_("The calendar service asks us to wait"),
        N_("It has had many requests and is taking a break from them. Your account is fine."),
        N_("Wait a minute, then try again."),
        N_("Try again"),
        Press.RETRY,
    ),
    "sign_in_refused": Words(
        N_("The calendar service did not let us in"),
        N_("You signed in there, but it refused us a moment later. Nothing was connected."),
        N_("This is rare, and mostly gone the next time. Go on once more and sign in again."),
        N_("Try again"),
        Press.RETRY,
    ),
    "calendars_refused": Words(
        N_("This login may not read the calendars"),
        N_("The server accepted it, but does not show us its calendars. Nothing was connected."),
        N_("Use another login, or ask the people who run the server to allow it."),
        N_("Try again"),
        Press.RETRY,
    ),
    "permission_unticked": Words(
        N_("One permission is still missing"),
        N_("A calendar box stayed empty at Google, so the calendar cannot be connected yet."),
        N_("Go on to Google once more and tick every calendar box there."),
        N_("Try again"),
        Press.RETRY,
    ),
    "no_refresh_token": Words(
        N_("Google has to ask you once more"),
        N_("It let us in for an hour only, and your calendar has to stay connected for longer."),
        N_("Go on to Google once more and allow access when it asks."),
        N_("Try again"),
        Press.RETRY,
    ),
    "calendar_service_off": Words(
        N_("This account has no Google Calendar"),
        N_("You are signed in, but Google Calendar is switched off for this account."),
        N_("Use another account, or ask your administrator to switch Google Calendar on."),
        N_("Use another account"),
        Press.RETRY,
    ),
    "domain_policy": Words(
        N_("Your organisation does not allow this connection"),
        N_("A policy of your organisation keeps its calendars from being used by apps."),
        N_("Your administrator can change that. Show them the part for IT below."),
        N_("Use another account"),
        Press.RETRY,
        for_it=True,
    ),
    "wrong_login": Words(
        N_("That was a different account"),
        N_("The calendar to reconnect belongs to another account. Nothing was changed."),
        N_("Go on once more and sign in with the account you connected before."),
        N_("Use the right account"),
        Press.RETRY,
    ),
}

_OURS = {
    "not_found": Words(
        N_("There is no page here"),
        N_("The address is old or was copied only in part."),
        N_("Go back to the application that sent you and press its button again."),
        N_("Go back"),
        Press.BACK,
    ),
    "it_link_over": Words(
        N_("This page for IT is closed"),
        N_("Such pages are open for two weeks. This one is over, or its address was cut short."),
        N_("Ask the person who sent it to try again; they get a new link when it fails."),
        N_("Go back"),
        Press.BACK,
    ),
    "too_large": Words(
        N_("That was more than we can take"),
        N_("What was sent is larger than this page accepts. Nothing was kept."),
        N_("Go back and check that only a short text was put in each field."),
        N_("Try again"),
        Press.RETRY,
    ),
    "unexpected": Words(
        N_("We could not finish this"),
        N_("We made a mistake on our side and stopped. Nothing more was shared."),
        N_("It has been noted for our operator. Trying once more often works."),
        N_("Try again"),
        Press.RETRY,
    ),
    "too_many_begun": Words(
        N_("Many connections were begun here just now"),
        N_("We take only so many at a time from one browser and one network. Nothing was shared."),
        N_("Wait a few minutes, then try again. What you have connected already keeps working."),
        N_("Try again"),
        Press.RETRY,
    ),
    "temporarily_down": Words(
        N_("We have to pause for a moment"),
        N_("A part of our service cannot be reached just now. What you connected is safe."),
        N_("It is for us to mend. Wait a minute, then try again."),
        N_("Try again"),
        Press.RETRY,
    ),
}

REASONS = {**_ATTEMPTS, **_GOOGLE, **APPLE, **CALDAV, **EXCHANGE, **_OURS}


def known_code(code: str) -> str:
    """Give *code* when we have words for it, otherwise `unexpected`."""
    return code if code in REASONS else "unexpected"


def words_for(code: str) -> Words:
    """Give the words for a reason code; an unknown one gets those of `unexpected`."""
    return REASONS[known_code(code)]
