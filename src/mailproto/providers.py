"""The large mail providers: where their servers are, and what log-in they want.

Data and no more, each row with the page that it is from.  What is not here is no worse:
whoever has a host and a port needs no provider.

    >>> by_domain("gmail.com").place("imaps")
    'imap.gmail.com'
    >>> by_host("smtp-mail.outlook.com").name
    'Outlook.com'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from .services import SERVICES


class Wants(StrEnum):
    """What a provider takes in the place of the password that one types on its site."""

    PASSWORD = "password"  #: it takes that password
    APP_PASSWORD = "app-password"  #: one that it made for a program
    OAUTH = "oauth"  #: a token, by XOAUTH2 or OAUTHBEARER


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider.

    *domains* are those of its addresses, *hosts* its servers by the names of the
    services.  *advice* is for whom the log-in was refused, *sources* are its own pages.
    """

    name: str
    domains: tuple[str, ...]
    hosts: Mapping[str, str]
    wants: tuple[Wants, ...]
    advice: str
    sources: tuple[str, ...]

    def __post_init__(self) -> None:
        unknown = set(self.hosts) - set(SERVICES)
        if unknown or not (self.domains and self.wants and self.sources):
            raise ValueError(f"{self.name}: a row of the table is not complete")
        object.__setattr__(self, "hosts", MappingProxyType(dict(self.hosts)))

    def place(self, service: str) -> str | None:
        """The host of *service*, if there is one."""
        return self.hosts.get(service)


_GMAIL = Provider(
    "Gmail",
    ("gmail.com", "googlemail.com"),
    {
        "imaps": "imap.gmail.com",
        "pop3s": "pop.gmail.com",
        "submission": "smtp.gmail.com",
        "submissions": "smtp.gmail.com",
    },
    (Wants.APP_PASSWORD, Wants.OAUTH),
    "Gmail does not take the password of the Google account. Make an app password at "
    "https://myaccount.google.com/apppasswords (2-Step Verification must be on), or "
    "use OAuth (--mechanism XOAUTH2). POP is off until it is enabled in the settings.",
    (
        "https://developers.google.com/workspace/gmail/imap/imap-smtp",
        "https://support.google.com/accounts/answer/185833",
        "https://support.google.com/mail/answer/7104828",
    ),
)

_OUTLOOK = Provider(
    "Outlook.com",
    ("outlook.com", "hotmail.com", "live.com", "msn.com"),
    {
        "imaps": "outlook.office365.com",
        "pop3s": "outlook.office365.com",
        "submission": "smtp-mail.outlook.com",
    },
    (Wants.OAUTH,),
    "Outlook.com, Hotmail and Live take OAuth tokens only (--mechanism XOAUTH2), no "
    "password of any kind. POP and IMAP must be allowed in the settings on the site.",
    (
        "https://support.microsoft.com/office/d088b986-291d-42b8-9564-9c414e2aa040",
        "https://support.microsoft.com/office/c5d65390-9676-4763-b41f-d7986499a90d",
    ),
)

_EXCHANGE: Final = (
    "https://learn.microsoft.com/en-us/exchange/clients-and-mobile-in-exchange-online/"
)
_OFFICE365 = Provider(
    "Microsoft 365",
    ("office365.com", "onmicrosoft.com"),
    {
        "imaps": "outlook.office365.com",
        "pop3s": "outlook.office365.com",
        "submission": "smtp.office365.com",
    },
    (Wants.OAUTH,),
    "Microsoft 365 takes OAuth tokens only for POP and IMAP (--mechanism XOAUTH2), and "
    "an administrator must allow SMTP AUTH for the mailbox before mail can be sent.",
    (
        _EXCHANGE + "deprecation-of-basic-authentication-exchange-online",
        _EXCHANGE + "authenticated-client-smtp-submission",
    ),
)

_YAHOO = Provider(
    "Yahoo",
    ("yahoo.com", "ymail.com", "rocketmail.com", "yahoo.co.uk", "yahoo.de", "yahoo.fr"),
    {
        "imaps": "imap.mail.yahoo.com",
        "pop3s": "pop.mail.yahoo.com",
        "submission": "smtp.mail.yahoo.com",
        "submissions": "smtp.mail.yahoo.com",
    },
    (Wants.APP_PASSWORD, Wants.OAUTH),
    "Yahoo wants an app password: account security, generate app password.",
    (
        "https://help.yahoo.com/kb/SLN4075.html",
        "https://help.yahoo.com/kb/SLN15241.html",
    ),
)

_YANDEX = Provider(
    "Yandex",
    ("yandex.ru", "yandex.com", "ya.ru", "yandex.by", "yandex.kz"),
    {
        "imaps": "imap.yandex.com",
        "pop3s": "pop.yandex.com",
        "submission": "smtp.yandex.com",
        "submissions": "smtp.yandex.com",
    },
    (Wants.APP_PASSWORD, Wants.OAUTH),
    "Yandex wants an app password (https://id.yandex.com/security/app-passwords), and "
    "mail programs must be allowed in the settings of the mailbox.",
    (
        "https://yandex.com/support/passport/authorization/app-passwords.html",
        "https://yandex.com/support/mail/mail-clients/others.html",
    ),
)

_ICLOUD = Provider(
    "iCloud",
    ("icloud.com", "me.com", "mac.com"),
    {"imaps": "imap.mail.me.com", "submission": "smtp.mail.me.com"},
    (Wants.APP_PASSWORD,),
    "iCloud wants an app-specific password: https://account.apple.com, Sign-In and "
    "Security. It has no POP.",
    (
        "https://support.apple.com/en-us/102525",
        "https://support.apple.com/en-us/102654",
    ),
)

_FASTMAIL = Provider(
    "Fastmail",
    ("fastmail.com", "fastmail.fm"),
    {
        "imaps": "imap.fastmail.com",
        "pop3s": "pop.fastmail.com",
        "submission": "smtp.fastmail.com",
        "submissions": "smtp.fastmail.com",
    },
    (Wants.APP_PASSWORD, Wants.OAUTH),
    "Fastmail wants an app password: Settings, Privacy & Security.",
    (
        "https://www.fastmail.help/hc/en-us/articles/1500000278342",
        "https://www.fastmail.help/hc/en-us/articles/1500000279921",
    ),
)

_GMX = Provider(
    "GMX",
    ("gmx.net", "gmx.de", "gmx.at", "gmx.ch"),
    {
        "imap": "imap.gmx.net",
        "imaps": "imap.gmx.net",
        "pop3s": "pop.gmx.net",
        "submission": "mail.gmx.net",
        "submissions": "mail.gmx.net",
    },
    (Wants.PASSWORD, Wants.APP_PASSWORD),
    "GMX lets no mail program in until POP3 and IMAP are enabled in the settings; with "
    "two-factor authentication it wants an application-specific password.",
    (
        "https://www.gmx.net/mail/tipps/posts/pop3-imap/36/",
        "https://hilfe.gmx.net/pop-imap/einschalten.html",
    ),
)

_ZOHO = Provider(
    "Zoho",
    ("zoho.com", "zohomail.com"),
    {
        "imaps": "imap.zoho.com",
        "pop3s": "pop.zoho.com",
        "submission": "smtp.zoho.com",
        "submissions": "smtp.zoho.com",
    },
    (Wants.PASSWORD, Wants.APP_PASSWORD),
    "Zoho wants IMAP or POP enabled in the settings on its site, and with multi-factor "
    "authentication an app password. Organisations have imappro.zoho.com.",
    ("https://www.zoho.com/mail/help/imap-access.html",),
)

#: all of them
PROVIDERS: Final = (
    _GMAIL,
    _OUTLOOK,
    _OFFICE365,
    _YAHOO,
    _YANDEX,
    _ICLOUD,
    _FASTMAIL,
    _GMX,
    _ZOHO,
)


def by_domain(domain: str) -> Provider | None:
    """Whose addresses end with ``@domain``."""
    wanted = domain.lower().rstrip(".")
    return next((each for each in PROVIDERS if wanted in each.domains), None)


def by_host(host: str) -> Provider | None:
    """Whose server *host* is; of several that share it, the first."""
    wanted = host.lower().rstrip(".")
    return next((each for each in PROVIDERS if wanted in each.hosts.values()), None)
