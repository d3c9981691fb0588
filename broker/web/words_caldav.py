"""The words for reason codes about a login that somebody typed in.

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
    "no_basic_login": Words(
        N_("This server asks for another way to sign in"),
        N_("It takes no password in the way that we send one, so yours may well be right."),
        N_("The people who run the server can change it. Show them the part for IT below."),
        N_("Try again"),
        Press.RETRY,
        for_it=True,
        it=N_(
            "The CalDAV service offers no Basic authentication (RFC 7617). Switch it on for HTTPS,"
            " beside Digest or in its place."
        ),
    ),
    "address_malformed": Words(
        N_("This does not look like a server address"),
        N_("We cannot tell from it where your calendar is."),
        N_("It looks like calendar.example.com, or type your e-mail address instead."),
        N_("Correct the address"),
        Press.RETRY,
        field="url",
    ),
    "address_scheme": Words(
        N_("We connect to servers over https only"),
        N_("This address begins with something else, so we sent nothing."),
        N_("Write it so that it begins with https://. It mostly works that way."),
        N_("Correct the address"),
        Press.RETRY,
        field="url",
    ),
    "address_with_login": Words(
        N_("There is a user name inside this address"),
        N_("It stands before the @ sign, where others could read it. We sent nothing."),
        N_("Write the address without it. The name has a field of its own, as has the password."),
        N_("Correct the address"),
        Press.RETRY,
        field="url",
    ),
    "address_not_https": Words(
        N_("This address is not protected"),
        N_("It begins with http://, and your password could be read on the way. We sent nothing."),
        N_("Write the same address with https:// in front. Most servers answer to both."),
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
    "not_https": Words(
        N_("This server offers no protected connection"),
        N_("We found the server, but it does not speak https. We did not send your password."),
        N_("Ask the people who run the server for an address that begins with https://."),
        N_("Correct the address"),
        Press.RETRY,
        field="url",
    ),
    "address_in_circles": Words(
        N_("This address leads in a circle"),
        N_("The server sends us on and on, and we never come to a calendar."),
        N_("Check the address. If it is right, show the people who run it the part for IT below."),
        N_("Correct the address"),
        Press.RETRY,
        field="url",
        for_it=True,
        it=N_(
            "The server redirects PROPFIND more than five times. Let /.well-known/caldav lead to"
            " the CalDAV service in one step."
        ),
    ),
    "name_not_found": Words(
        N_("We cannot find this server"),
        N_("There is no server by the name in this address. We sent no password."),
        N_("Check it for typing slips. Your provider's help pages name the right one."),
        N_("Correct the address"),
        Press.RETRY,
        field="url",
    ),
    "address_unreachable": Words(
        N_("This server does not answer"),
        N_("We found the server, but nobody opened when we knocked."),
        N_("Check the address for typing slips. If it is right, wait a little and try again."),
        N_("Try again"),
        Press.RETRY,
        field="url",
    ),
    "certificate_wrong_name": Words(
        N_("The certificate is for another server"),
        N_("We found the server, but its certificate bears another name. We sent no password."),
        N_("Check the address. If it is right, show the people who run it the part for IT below."),
        N_("Correct the address"),
        Press.RETRY,
        field="url",
        for_it=True,
        it=N_(
            "The certificate that the server shows does not bear the name by which we asked for it."
            " Install one that does, or tell the person the right name."
        ),
    ),
    "certificate_expired": Words(
        N_("The server's certificate has run out"),
        N_("We found the server, but its certificate is out of date. We sent no password."),
        N_("The people who run the server can renew it. Show them the part for IT below."),
        N_("Try again"),
        Press.RETRY,
        field="url",
        for_it=True,
        it=N_(
            "The certificate that the server shows, or another of its chain, has run out. Renew it."
        ),
    ),
    "certificate_untrusted": Words(
        N_("We cannot be sure that this is your server"),
        N_(
            "We found the server, but its certificate comes from nobody whom we trust. We sent no"
            " password."
        ),
        N_("The people who run the server can change it. Show them the part for IT below."),
        N_("Try again"),
        Press.RETRY,
        field="url",
        for_it=True,
        it=N_(
            "The certificate is from an authority that is not trusted everywhere, or the chain is"
            " not whole. Those who run this service can trust your company's own authority for this"
            " one server; the page behind the link says how."
        ),
    ),
    "host_unconfirmed": Words(
        N_("Is this your calendar's server?"),
        N_("The address that you typed leads on to a server with another name:"),
        N_(
            "We have not sent your password there. If you know the name, perhaps from your"
            " provider's help pages, go on. If it surprises you, ask the people who run your"
            " calendar first."
        ),
        N_("Yes, sign in at this server"),
        Press.RETRY,
        field="password",
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
    "use_icloud": Words(
        N_("This is an iCloud address"),
        N_("iCloud is connected in a way of its own, so we sent your password nowhere."),
        N_("Go back to the choice of calendars and pick iCloud."),
        N_("Choose another calendar"),
        Press.OTHER,
        field="url",
    ),
    "use_google": Words(
        N_("This is a Google address"),
        N_("Google calendars are connected at Google itself, so we sent your password nowhere."),
        N_("Go back to the choice of calendars and pick Google."),
        N_("Choose another calendar"),
        Press.OTHER,
        field="url",
    ),
    "use_microsoft": Words(
        N_("This is a Microsoft address"),
        N_("Microsoft calendars are not reached by address, so we sent your password nowhere."),
        N_("Go back to the choice of calendars and look for Outlook or Office 365 there."),
        N_("Choose another calendar"),
        Press.OTHER,
        field="url",
    ),
    "no_calendars": Words(
        N_("There is no calendar in this account yet"),
        N_("The login is right, but we found nothing to connect."),
        N_("Create a calendar there, then try again."),
        N_("Try again"),
        Press.RETRY,
    ),
    "too_many_attempts": Words(
        N_("Let us pause for a few minutes"),
        N_("There were several tries in a row. We wait so that your account is not locked."),
        N_("Check the password in the meantime, then try again."),
        N_("Try again"),
        Press.RETRY,
    ),
    "paused_after_refusals": Words(
        N_("We pause to keep your account from being locked"),
        N_("This login was refused several times in a row, so we did not send this try at all."),
        N_("Check the password meanwhile. Wait a quarter of an hour or more, then try again."),
        N_("Try again"),
        Press.RETRY,
    ),
    "login_under_way": Words(
        N_("We are still trying this login"),
        N_("Your form came twice. We send a password once, so that no account gets locked."),
        N_("Wait half a minute. Then try again, or go back to the application to see."),
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
