"""The words for reason codes about a company's own Exchange.

*it* is what the IT department has to know: the person sends it on and need not understand it.
"""

from __future__ import annotations

from broker.web.phrases import Press, Words
from broker.web.translations import N_

EXCHANGE = {
    "exchange_login_rejected": Words(
        N_("Your company's server did not accept this login"),
        N_("It answered, but refused this name and password. We do not try again by ourselves."),
        N_("Type the password once more with care: a few wrong tries can lock your account."),
        N_("Try again"),
        Press.RETRY,
        field="password",
        checks=(
            N_("Is it the password that you use at your work computer?"),
            N_("Do you sign in there with a name such as DOMAIN\\name? Type that name below."),
            N_("Has the password run out or been changed, or could the account be locked?"),
        ),
        unfolds=True,
        it=N_(
            "The server answered 401 to this login. Apart from a wrong password it says so for a"
            " locked, disabled or expired account, and where Extended Protection is required"
            " behind a proxy that ends TLS with another certificate."
        ),
    ),
    "use_office365": Words(
        N_("Your mailbox seems to be in Microsoft 365"),
        N_("Microsoft no longer takes a password there, so this form cannot connect it."),
        N_(
            "Go back to the choice of calendars and look for Office 365. If it is not there, it"
            " cannot be connected from here yet; the application's makers can tell you more."
        ),
        N_("Choose another calendar"),
        Press.OTHER,
        field="email",
    ),
    "perhaps_office365": Words(
        N_("We found no mail server of your company"),
        N_("Its people sign in at Microsoft 365, so your mailbox may well be there."),
        N_(
            "If it is, choose another calendar and look for Office 365. If your company runs a mail"
            " server of its own, ask your IT department for its address and type it in."
        ),
        N_("Choose another calendar"),
        Press.OTHER,
        field="url",
        unfolds=True,
        it=N_(
            "The mail domain signs in at Microsoft 365, and Autodiscover named no server of your"
            " own from outside. For mailboxes on your premises, publish Autodiscover over HTTPS, or"
            " tell the person the external address of EWS."
        ),
    ),
    "use_outlook_com": Words(
        N_("Your mailbox is at Outlook.com"),
        N_("Such addresses belong to Microsoft, which takes no password here for them."),
        N_(
            "Go back to the choice of calendars and look for Outlook.com. If it is not there, it"
            " cannot be connected from here yet; the application's makers can tell you more."
        ),
        N_("Choose another calendar"),
        Press.OTHER,
        field="email",
    ),
    "exchange_not_found": Words(
        N_("We could not find your company's server"),
        N_("We looked where such servers are usually announced. None answered for this address."),
        N_(
            "Check the e-mail address. If it is right, ask your IT department for the server"
            " address and type it in."
        ),
        N_("Try again"),
        Press.RETRY,
        field="url",
        unfolds=True,
        it=N_(
            "Autodiscover was tried for the mail domain, its autodiscover host and the SRV record,"
            " from outside. Publish one of them over HTTPS with a valid certificate, or tell the"
            " person the external address of EWS."
        ),
    ),
    "exchange_no_mailbox": Words(
        N_("We found the server, but no mailbox of yours"),
        N_("It knows of no calendar for this login. The mailbox may be elsewhere."),
        N_("Check the e-mail address. If it is right, send the part below to your IT department."),
        N_("Try again"),
        Press.RETRY,
        field="email",
        for_it=True,
        unfolds=True,
        it=N_(
            "Autodiscover or EWS found no mailbox for this account. It may have been moved, or be"
            " served by another host than the one below."
        ),
    ),
    "exchange_misconfigured": Words(
        N_("Your company's server could not tell us the way"),
        N_("It answered, but its own directions lead nowhere. Your login may well be right."),
        N_("Ask your IT department for the server address and type it below."),
        N_("Try again"),
        Press.RETRY,
        field="url",
        for_it=True,
        unfolds=True,
        it=N_(
            "Autodiscover answered with an error, or named no address of EWS that can be reached"
            " from outside. Set the ExternalUrl of the EWS virtual directory."
        ),
    ),
    "exchange_ews_off": Words(
        N_("Your company has switched this way in off"),
        N_("The server answered, but does not let us read calendars. It is no fault of yours."),
        N_("Your IT department can change that. Send them the part below."),
        N_("Try again"),
        Press.RETRY,
        for_it=True,
        it=N_(
            "The server forbids Exchange Web Services: see EwsEnabled and"
            " EwsApplicationAccessPolicy of the organisation and of the mailbox, and rules of a"
            " proxy in front. We identify ourselves as “Calbroker/…” (User-Agent)."
        ),
    ),
    "exchange_not_ews": Words(
        N_("There is something else at this address"),
        N_("A server answered, but it is not one that offers Exchange calendars there."),
        N_("Check the server address, or leave it empty and we search for it."),
        N_("Correct the address"),
        Press.RETRY,
        field="url",
        unfolds=True,
        it=N_(
            "/EWS/Exchange.asmx is missing there, or answers with a web page, as a sign-in page in"
            " front of it does. EWS must be reachable from outside over HTTPS, and ask for NTLM or"
            " Basic itself."
        ),
    ),
    "exchange_sign_in_page": Words(
        N_("A sign-in page stands in front of your server"),
        N_("It is made for people with a browser, and we cannot get past it."),
        N_("Your IT department can change that. Send them the part below."),
        N_("Try again"),
        Press.RETRY,
        field="url",
        for_it=True,
        unfolds=True,
        it=N_(
            "Requests to /EWS/Exchange.asmx are answered with a sign-in page. Exempt the path /EWS"
            " from forms and pre-authentication, so that Exchange itself asks for NTLM or Basic."
        ),
    ),
    "exchange_no_password_login": Words(
        N_("Your server takes no password from outside"),
        N_(
            "It asks for another way to sign in, such as a second step. Your login may well be"
            " right."
        ),
        N_("Your IT department can change that. Send them the part below."),
        N_("Try again"),
        Press.RETRY,
        for_it=True,
        it=N_(
            "EWS offers neither NTLM nor Basic to clients outside, only Kerberos, forms or modern"
            " authentication. Switch NTLM on for the EWS virtual directory, or Basic over HTTPS."
        ),
    ),
    "exchange_no_login_asked": Words(
        N_("Your server let us in without asking for a login"),
        N_("Nobody checked your password, so we cannot know whose calendars these are."),
        N_("Your IT department can change that. Send them the part below."),
        N_("Try again"),
        Press.RETRY,
        field="url",
        for_it=True,
        unfolds=True,
        it=N_(
            "EWS answered before it had asked for a login, so that anybody would be let in. Let"
            " Exchange itself ask for NTLM or Basic, and no proxy sign in for everybody."
        ),
    ),
    "exchange_login_interrupted": Words(
        N_("The sign-in was cut off on the way"),
        N_("Something between us and your server does not keep the connection that it needs."),
        N_("Try once more. If it stays like this, send the part below to your IT department."),
        N_("Try again"),
        Press.RETRY,
        for_it=True,
        it=N_(
            "NTLM needs one connection for all its steps. A proxy or load balancer in front of"
            " Exchange closes it or spreads its requests: let it keep connections, or offer Basic"
            " over HTTPS."
        ),
    ),
    "exchange_account_closed": Words(
        N_("The server says that this account is closed"),
        N_("It knows the login, but the account is disabled or its password has run out."),
        N_("Sign in at your work computer to see. If that fails too, your IT department can help."),
        N_("Try again"),
        Press.RETRY,
        field="email",
        it=N_("Exchange accepted the sign-in and refused the account: look at its state."),
    ),
}
