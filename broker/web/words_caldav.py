"""The words for reason codes about a server that somebody typed in.

None tells an outsider more about a network or a mailbox than the person already knew.
"""

from __future__ import annotations

from broker.web.phrases import Press, Words
from broker.web.translations import N_

CALDAV = {
    "login_rejected": Words(
        N_("The server did not accept this login"),
        N_("It answered, but not to this user name and password."),
        N_(
            "Type both once more. Many services want an app password here; make one in your"
            " account settings there."
        ),
        N_("Try again"),
        Press.RETRY,
        field="password",
    ),
    "address_malformed": Words(
        N_("This does not look like a server address"),
        N_("We cannot tell from it where your calendar is."),
        N_("It looks like https://calendar.example.com. Your provider's help pages name it."),
        N_("Correct the address"),
        Press.RETRY,
        field="url",
    ),
    "address_not_https": Words(
        N_("This address is not protected"),
        N_("It begins with http://, and your password could be read on the way."),
        N_("Try the same address with https:// in front."),
        N_("Correct the address"),
        Press.RETRY,
        field="url",
    ),
    "address_port": Words(
        N_("We do not connect to this port"),
        N_("The number after the colon in the address is not one that we may use."),
        N_("Leave the number out. If it is needed, ask the people who run the server."),
        N_("Correct the address"),
        Press.RETRY,
        field="url",
    ),
    "address_private": Words(
        N_("We cannot reach this address from here"),
        N_("It leads into a private network, and we connect to public servers only."),
        N_("Ask the people who run the server for its public address."),
        N_("Correct the address"),
        Press.RETRY,
        field="url",
    ),
    "address_unreachable": Words(
        N_("This server does not answer"),
        N_("We knocked at the address and nobody opened."),
        N_("Check the address for typing slips. If it is right, wait a little and try again."),
        N_("Try again"),
        Press.RETRY,
        field="url",
    ),
    "certificate_untrusted": Words(
        N_("We cannot be sure that this is your server"),
        N_("Its certificate is out of date or not made for this address. We sent no password."),
        N_("The people who run the server can renew it. Show them the part for IT below."),
        N_("Try again"),
        Press.RETRY,
        field="url",
        for_it=True,
    ),
    "redirect_refused": Words(
        N_("The server sends us somewhere else"),
        N_("It points to an address of another owner, and we do not take your password there."),
        N_("If you know the other address, type that one. If not, ask who runs the server."),
        N_("Correct the address"),
        Press.RETRY,
        field="url",
    ),
    "not_caldav": Words(
        N_("We found no calendar at this address"),
        N_("There is a server, but it does not offer calendars in a way that we can read."),
        N_("Look for the CalDAV address in the help pages of your provider."),
        N_("Correct the address"),
        Press.RETRY,
        field="url",
    ),
    "no_calendars": Words(
        N_("There is no calendar in this account yet"),
        N_("The login is right, but we found nothing to connect."),
        N_("Create a calendar there, then try again. Or type another address."),
        N_("Try again"),
        Press.RETRY,
        field="url",
    ),
    "too_many_attempts": Words(
        N_("Let us pause for a few minutes"),
        N_("There were several tries in a row. We wait so that your account is not locked."),
        N_("Check the password in the meantime, then try again."),
        N_("Try again"),
        Press.RETRY,
    ),
    "unreadable_answer": Words(
        N_("We did not understand the calendar service"),
        N_("It answered in a form that we cannot read. Nothing was changed."),
        N_("It is for us and the service to sort out. Wait a little, then try again."),
        N_("Try again"),
        Press.RETRY,
    ),
}
