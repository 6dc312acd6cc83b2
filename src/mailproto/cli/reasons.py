"""Why a log-in was refused, in plain words.

Servers say it by codes (RFC 5530 for IMAP, RFC 3206 for POP3, RFC 3463 and RFC 4954 for
SMTP), and the large ones in words of their own, which tell more: those count first.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from .. import imap, pop3, smtp
from .._text import printable


class Reason(StrEnum):
    """The names are those of the JSON report."""

    WRONG_PASSWORD = "wrong-password"
    APP_PASSWORD = "app-password-needed"
    OAUTH = "oauth-needed"
    TLS = "tls-required"
    TOO_MANY = "too-many-connections"
    BUSY = "server-busy"
    IN_USE = "mailbox-in-use"
    DISABLED = "service-disabled"
    EXPIRED = "password-expired"
    ADMINISTRATOR = "ask-the-administrator"
    NOT_ALLOWED = "not-authorized"
    NO_MECHANISM = "no-mechanism"
    NO_TLS = "no-tls"
    NOT_TRUSTED = "certificate-not-trusted"
    TIME_OUT = "time-out"
    BROKEN = "broken"
    REFUSED = "refused"
    NOT_TRIED = "not-tried"


SAYS: Final = {
    Reason.WRONG_PASSWORD: "wrong password, or no such user",
    Reason.APP_PASSWORD: "it wants an app password, made for this program",
    Reason.OAUTH: "it takes no password, only OAuth (--mechanism XOAUTH2)",
    Reason.TLS: "it wants TLS first",
    Reason.TOO_MANY: "too many connections, or too many attempts: wait, and close some",
    Reason.BUSY: "the server is busy or unwell: try again later",
    Reason.IN_USE: "the mailbox is open elsewhere: try again when it is closed there",
    Reason.DISABLED: "this service is disabled for the account: enable it in its "
    "settings",
    Reason.EXPIRED: "the password has expired",
    Reason.ADMINISTRATOR: "the account needs its administrator, or its owner on the "
    "provider's site",
    Reason.NOT_ALLOWED: "the password is right, but this user may not use this service",
    Reason.NO_MECHANISM: "it offers no way to log in that is allowed here",
    Reason.NO_TLS: "not tried: without TLS the password would cross in the clear",
    Reason.NOT_TRUSTED: "not tried: the certificate is not good",
    Reason.TIME_OUT: "no answer in time",
    Reason.BROKEN: "the conversation broke",
    Reason.REFUSED: "refused",
    Reason.NOT_TRIED: "not tried: refused above by the same protocol, and who guesses "
    "too often is locked out",
}

#: the password is judged: to say it again would be guessing
OF_THE_PASSWORD: Final = frozenset({
    Reason.WRONG_PASSWORD,
    Reason.APP_PASSWORD,
    Reason.OAUTH,
    Reason.EXPIRED,
})  # fmt: skip
#: the server has not said no to a log-in
UNDECIDED: Final = frozenset({
    Reason.NO_MECHANISM,
    Reason.NO_TLS,
    Reason.NOT_TRUSTED,
    Reason.NOT_TRIED,
    Reason.TIME_OUT,
    Reason.BROKEN,
})  # fmt: skip

# RFC 5530 3; LIMIT and INUSE are of other commands there, and of LOGIN with Dovecot.
_IMAP: Final = {
    "AUTHENTICATIONFAILED": Reason.WRONG_PASSWORD,
    "AUTHORIZATIONFAILED": Reason.NOT_ALLOWED,
    "EXPIRED": Reason.EXPIRED,
    "PRIVACYREQUIRED": Reason.TLS,
    "CONTACTADMIN": Reason.ADMINISTRATOR,
    "UNAVAILABLE": Reason.BUSY,
    "SERVERBUG": Reason.BUSY,
    "LIMIT": Reason.TOO_MANY,
    "INUSE": Reason.IN_USE,
}
# RFC 2449 8.1, RFC 3206 4.
_POP3: Final = {
    "AUTH": Reason.WRONG_PASSWORD,
    "IN-USE": Reason.IN_USE,
    "LOGIN-DELAY": Reason.TOO_MANY,
    "SYS/TEMP": Reason.BUSY,
    "SYS/PERM": Reason.ADMINISTRATOR,
}
# RFC 4954 6, RFC 5248 2.4, RFC 3463 3.8: subject and detail, whatever the class.
_ENHANCED: Final = {
    (3, 2): Reason.BUSY,
    (4, 5): Reason.BUSY,
    (7, 8): Reason.WRONG_PASSWORD,
    (7, 9): Reason.NO_MECHANISM,  # "mechanism is too weak"
    (7, 10): Reason.TLS,
    (7, 11): Reason.TLS,
    (7, 12): Reason.EXPIRED,
    (7, 13): Reason.DISABLED,  # RFC 5248: user account disabled
}
# RFC 4954 4, 6; RFC 3207 4.
_SMTP: Final = {
    421: Reason.BUSY,
    450: Reason.BUSY,
    451: Reason.BUSY,
    454: Reason.BUSY,
    432: Reason.EXPIRED,
    530: Reason.TLS,
    534: Reason.NO_MECHANISM,
    535: Reason.WRONG_PASSWORD,
    538: Reason.TLS,
}
# Who says so stands behind it; the first that fits counts.
_TEXTS: Final = tuple(
    (re.compile(pattern, re.I), reason)
    for pattern, reason in (
        # Gmail, iCloud, Yahoo
        (r"app(lication)?[- ]?(specific )?password", Reason.APP_PASSWORD),
        # Exchange Online: 5.7.139
        (r"basic authentication is (disabled|not supported)", Reason.OAUTH),
        (r"\b(modern auth|oauth2?\b.*\brequired)", Reason.OAUTH),
        # Exchange Online: 5.7.139 SmtpClientAuthentication is disabled
        (r"SmtpClientAuthentication is disabled", Reason.DISABLED),
        # Gmail's POP3, Zoho's IMAP
        (r"not enabled for (POP|IMAP|SMTP)|yet to enable (POP|IMAP)", Reason.DISABLED),
        # Yandex
        (r"\b(IMAP|POP3?|SMTP) is disabled", Reason.DISABLED),
        (r"not have access rights to this service", Reason.DISABLED),
        # Gmail
        (
            r"log in (with|via) your web browser|web login required",
            Reason.ADMINISTRATOR,
        ),
        # Dovecot, Gmail, Courier, Yahoo
        (r"(maximum|too many) .*\b(connections|sessions)\b", Reason.TOO_MANY),
        (r"too many .*\b(attempts|failures|log-?ins)\b", Reason.TOO_MANY),
        # Dovecot; Postfix over a Dovecot that is down
        (r"temporary (authentication|internal)|internal error", Reason.BUSY),
        # Dovecot, Courier, Postfix
        (r"(plaintext|cleartext) auth\w* (is )?(disallowed|not allowed)", Reason.TLS),
        (r"must issue a? ?STARTTLS|encryption (is )?required", Reason.TLS),
    )
)


def words(answer: object) -> str:
    """What the server said, fit for a terminal."""
    if isinstance(answer, (imap.Reply, imap.Greeting)):
        return printable(answer.write()[2:].decode("utf-8", "replace").strip())
    if isinstance(answer, (smtp.Reply, smtp.Greeting)):  # in one line
        said = " ".join(answer.text.split("\n"))
        enhanced = f"{answer.enhanced} " if answer.enhanced is not None else ""
        return printable(f"{answer.code} {enhanced}{said}").strip()
    return printable(str(answer))


def judge(answer: object) -> Reason:
    """Why the log-in that ended with *answer*, be it a greeting, was refused."""
    if isinstance(answer, smtp.Greeting):
        answer = answer.reply
    text = str(getattr(answer, "text", "")).replace("\n", " ")
    for pattern, reason in _TEXTS:
        if pattern.search(text):
            return reason
    match answer:
        case imap.Reply(code=code):
            name = "" if code is None else code.name
            return _IMAP.get(name, _by_condition(answer, text))
        case imap.Greeting(code=code):  # BYE: "not willing" (RFC 3501 7.1.5)
            return _IMAP.get("" if code is None else code.name, Reason.BUSY)
        case pop3.Greeting(code=code):
            return _POP3.get(code or "", Reason.BUSY)
        case pop3.Reply(code=code):
            # RFC 3206 4: without a code it may be anything, and mostly is this.
            default = Reason.WRONG_PASSWORD if code is None else Reason.REFUSED
            return _POP3.get(code or "", default)
        case smtp.Reply(code=number, enhanced=enhanced):
            told = (enhanced.subject, enhanced.detail) if enhanced else (0, 0)
            if told in _ENHANCED:
                return _ENHANCED[told]
            return _SMTP.get(number, Reason.REFUSED)
    return Reason.REFUSED


def _by_condition(reply: imap.Reply, text: str) -> Reason:
    """Without a code of RFC 5530, NO to a log-in is RFC 3501 6.2.3: "not accepted"."""
    if reply.condition is imap.Condition.NO:
        return Reason.WRONG_PASSWORD
    return Reason.REFUSED
