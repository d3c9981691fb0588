"""What an IT department can change, by reason code: exactly, with the command where there is one.

`%(host)s`, `%(offered)s` and `%(tried)s` stand for what the try found out; `%(names)s`,
`%(issuer)s`, `%(subject)s`, `%(since)s` and `%(until)s` for the certificates that were shown.
Commands are those of the Exchange Management Shell, and are the same in every language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from broker.web.translations import N_


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to change or to look at; where a *provider* is named, only at its servers."""

    text: str
    command: str = ""
    provider: str = ""


_REACHABLE = Advice(
    N_("Let HTTPS to %(host)s (TCP port 443) in through your firewall, from where we call."),
)
_WHOLE_CHAIN = Advice(
    N_(
        "The chain that %(host)s sends ends with a certificate of %(issuer)s, an issuer that we do"
        " not know. If that is an intermediate one, let the server send the whole chain."
    )
)
_OWN_AUTHORITY = Advice(
    N_(
        "If it is an authority of your company, send its certificate to the people who run this"
        " service, and its SHA-256 fingerprint by another way. They trust it for this one host"
        " with:"
    ),
    "flask authority-add %(host)s FILE",
)
SELF_SIGNED = (
    Advice(
        N_(
            "%(host)s has signed its certificate itself. Install one for clients outside: of a"
            " public authority, or of your company's own, which the people who run this service can"
            " then trust for this one host."
        )
    ),
    Advice(
        N_("Exchange makes such a certificate when it is installed. See which ones it has:"),
        "Get-ExchangeCertificate | Format-List Subject,IsSelfSigned,Services,NotAfter",
        "exchange",
    ),
)
"""Instead of what is said of a `certificate_untrusted` that has an issuer."""

_EXTENDED_PROTECTION = Advice(
    N_(
        "Extended Protection: we send the channel binding of the certificate that we see, which is"
        " listed below. Where a proxy ends TLS, it needs the same certificate as Exchange, or has"
        " to pass TLS through; otherwise a good password is refused."
    ),
    "Get-WebServicesVirtualDirectory | Format-List Server,ExtendedProtectionTokenChecking",
)

_NOT_FOUND = (
    Advice(
        N_(
            "Publish Autodiscover over HTTPS with a valid certificate: at the mail domain"
            " itself, at its autodiscover host, or by the SRV record _autodiscover._tcp."
        )
    ),
    Advice(
        N_("Or tell the person the external address of EWS:"),
        "Get-WebServicesVirtualDirectory | Format-List Server,ExternalUrl",
    ),
    _REACHABLE,
)

ADVICE: Mapping[str, tuple[Advice, ...]] = {
    "certificate_wrong_name": (
        Advice(
            N_(
                "The certificate does not name %(host)s. It names: %(names)s. Install one that"
                " does, or tell the person the right one of these, as the server's address."
            )
        ),
    ),
    "certificate_expired": (
        Advice(
            N_(
                "Renew the certificate of %(host)s, or the one of its chain that has run out:"
                " %(subject)s was good from %(since)s to %(until)s."
            )
        ),
    ),
    "certificate_untrusted": (_WHOLE_CHAIN, _OWN_AUTHORITY),
    "not_https": (Advice(N_("%(host)s has to speak TLS 1.2 or newer on TCP port 443.")),),
    "address_private": (
        Advice(
            N_(
                "As seen from here, %(host)s leads into a private network. Publish an address that"
                " can be reached from outside, or tell the person one that can."
            )
        ),
        Advice(
            N_(
                "If this service runs inside of that network, the people who run it can open it"
                " with the setting ALLOWED_HOSTS."
            )
        ),
    ),
    "address_port": (Advice(N_("Offer %(host)s on TCP port 443 or 8443: we call no other port.")),),
    "name_not_found": (
        Advice(N_("Publish %(host)s in public DNS; inside names are not seen from here.")),
    ),
    "address_unreachable": (_REACHABLE,),
    "provider_unavailable": (
        _REACHABLE,
        Advice(N_("If it is open, look at %(host)s: it did not answer as it should.")),
    ),
    "rate_limited": (
        Advice(
            N_(
                "%(host)s says that it is busy, which can also mean that its service is stopped:"
                " look at the application pool of EWS, and at what stands in front of it."
            ),
            "Get-WebAppPoolState MSExchangeServicesAppPool",
            "exchange",
        ),
        Advice(
            N_("If it limits what one account may ask for, look at its throttling policy:"),
            "Get-ThrottlingPolicy | Format-List Name,Ews*",
            "exchange",
        ),
    ),
    "unreadable_answer": (
        Advice(
            N_(
                "%(host)s answered, but not with EWS as Exchange 2007 SP1 and later speak it. Look"
                " whether a proxy in front cuts, changes or adds to its answers."
            ),
            provider="exchange",
        ),
    ),
    "exchange_login_rejected": (
        Advice(
            N_("Look whether the account is locked, disabled, or its password has run out."),
            "Get-ADUser NAME -Properties Enabled,LockedOut,PasswordExpired",
        ),
        Advice(
            N_(
                "We signed in by %(tried)s. If the account's name has another form, tell the person"
                " theirs."
            )
        ),
        _EXTENDED_PROTECTION,
        Advice(
            N_("Accounts that need a second factor cannot sign in with name and password alone.")
        ),
    ),
    "exchange_no_password_login": (
        Advice(
            N_("%(host)s offers clients outside: %(offered)s. Switch NTLM on for EWS:"),
            'Set-WebServicesVirtualDirectory "SERVER\\EWS (Default Web Site)"'
            " -WindowsAuthentication $true",
        ),
        Advice(
            N_("Or Basic, which we use over verified TLS only:"),
            'Set-WebServicesVirtualDirectory "SERVER\\EWS (Default Web Site)"'
            " -BasicAuthentication $true",
        ),
    ),
    "exchange_no_login_asked": (
        Advice(
            N_(
                "%(host)s answered EWS without asking for a login. As a rule a proxy in front signs"
                " in for everybody: let it pass the question and the login through instead."
            )
        ),
        Advice(
            N_("Where no proxy does, look at how EWS itself lets its clients sign in:"),
            "Get-WebServicesVirtualDirectory | Format-List Server,*Authentication",
        ),
    ),
    "exchange_login_interrupted": (
        Advice(
            N_(
                "NTLM belongs to one connection. Let the proxy or load balancer in front of"
                " %(host)s keep a client's connection to one server, over HTTP/1.1."
            )
        ),
        _EXTENDED_PROTECTION,
    ),
    "exchange_account_closed": (
        Advice(
            N_("The sign-in was accepted and the account refused: look at its state."),
            "Get-ADUser NAME -Properties Enabled,LockedOut,PasswordExpired",
        ),
    ),
    "exchange_ews_off": (
        Advice(
            N_("Switch Exchange Web Services on for the mailbox:"),
            "Set-CASMailbox NAME -EwsEnabled $true",
        ),
        Advice(
            N_("And for the organisation:"),
            "Set-OrganizationConfig -EwsEnabled $true",
        ),
        Advice(
            N_("If an access policy lists the applications that may use it, add our User-Agent:"),
            'Set-OrganizationConfig -EwsAllowList @{Add="Calbroker/*"}',
        ),
        Advice(
            N_("A policy or block list of the mailbox comes before the organisation's:"),
            "Get-CASMailbox NAME | Format-List Ews*",
        ),
        Advice(N_("Rules of a proxy in front of %(host)s can forbid /EWS, too.")),
    ),
    "exchange_sign_in_page": (
        Advice(
            N_(
                "Exempt the paths /EWS and /Autodiscover at %(host)s from forms and"
                " pre-authentication, so that Exchange itself asks for NTLM or Basic."
            )
        ),
    ),
    "exchange_not_ews": (
        Advice(
            N_("EWS has to answer from outside at this address:"),
            "https://%(host)s/EWS/Exchange.asmx",
        ),
        Advice(
            N_("If it is published elsewhere, tell the person its external address:"),
            "Get-WebServicesVirtualDirectory | Format-List Server,ExternalUrl",
        ),
    ),
    "exchange_not_found": _NOT_FOUND,
    "perhaps_office365": _NOT_FOUND,
    "exchange_misconfigured": (
        Advice(
            N_("Autodiscover names no address of EWS that can be reached from outside. Set it:"),
            'Set-WebServicesVirtualDirectory "SERVER\\EWS (Default Web Site)"'
            " -ExternalUrl https://HOST/EWS/Exchange.asmx",
        ),
    ),
    "exchange_no_mailbox": (
        Advice(
            N_("The login works, but %(host)s knows of no mailbox for it. Look where it is:"),
            "Get-Mailbox NAME | Format-List Database,ServerName",
        ),
    ),
}
"""By reason code; what is not in it has nothing that an IT department could change."""
