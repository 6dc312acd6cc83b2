"""What servers say of a log-in, in plain words."""

from __future__ import annotations

from mailproto import imap, pop3, smtp
from mailproto.cli.reasons import SAYS, Reason, judge, words

SMTP_SAYS = {
    b"535 5.7.8 Username and Password not accepted.": Reason.WRONG_PASSWORD,
    b"535 Authentication credentials invalid": Reason.WRONG_PASSWORD,
    b"534 5.7.9 Application-specific password required.": Reason.APP_PASSWORD,
    b"534 5.7.9 Authentication mechanism is too weak": Reason.NO_MECHANISM,
    b"534 5.7.14 Please log in via your web browser": Reason.ADMINISTRATOR,
    b"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled "
    b"for the Tenant.": Reason.DISABLED,
    b"535 5.7.8 Error: authentication failed: This user does not have access rights to "
    b"this service": Reason.DISABLED,
    b"530 5.7.0 Must issue a STARTTLS command first": Reason.TLS,
    b"538 5.7.11 Encryption required": Reason.TLS,
    b"523 5.7.10 x": Reason.TLS,
    b"454 4.7.0 Temporary authentication failure": Reason.BUSY,
    b"421 4.3.2 x": Reason.BUSY,
    b"421 4.7.0 Too many login attempts": Reason.TOO_MANY,
    b"432 4.7.12 A password transition is needed": Reason.EXPIRED,
    b"550 x": Reason.REFUSED,
}
POP3_SAYS = {
    b"-ERR": Reason.WRONG_PASSWORD,
    b"-ERR [AUTH] no": Reason.WRONG_PASSWORD,
    b"-ERR [AUTH] Application-specific password required": Reason.APP_PASSWORD,
    b"-ERR [SYS/PERM] Your account is not enabled for POP access.": Reason.DISABLED,
    b"-ERR [SYS/PERM] x": Reason.ADMINISTRATOR,
    b"-ERR [SYS/TEMP] x": Reason.BUSY,
    b"-ERR [IN-USE] x": Reason.IN_USE,
    b"-ERR [LOGIN-DELAY] x": Reason.TOO_MANY,
    b"-ERR [X-OTHER] x": Reason.REFUSED,
    b"-ERR Plaintext authentication disallowed on non-secure connections.": Reason.TLS,
}
IMAP_SAYS = {
    "AUTHENTICATIONFAILED": Reason.WRONG_PASSWORD,
    "AUTHORIZATIONFAILED": Reason.NOT_ALLOWED,
    "EXPIRED": Reason.EXPIRED,
    "PRIVACYREQUIRED": Reason.TLS,
    "CONTACTADMIN": Reason.ADMINISTRATOR,
    "UNAVAILABLE": Reason.BUSY,
    "LIMIT": Reason.TOO_MANY,
    "X-OTHER": Reason.WRONG_PASSWORD,
}


def test_why_a_log_in_was_refused() -> None:
    for line, reason in SMTP_SAYS.items():
        assert judge(smtp.Reply.read(line)) is reason, line
    for line, reason in POP3_SAYS.items():
        assert judge(pop3.Reply.read(line)) is reason, line
    no, bad = imap.Condition.NO, imap.Condition.BAD
    for name, reason in IMAP_SAYS.items():
        assert judge(imap.Reply(no, "x", imap.Code(name))) is reason, name
    assert judge(imap.Reply(no, "LOGIN failed.")) is Reason.WRONG_PASSWORD
    assert judge(imap.Reply(bad, "LOGIN failed.")) is Reason.REFUSED
    alert = imap.Code("ALERT")
    text = "Application-specific password required: https://x"
    assert judge(imap.Reply(no, text, alert)) is Reason.APP_PASSWORD
    text = "Maximum number of connections from user+IP exceeded"
    assert judge(imap.Reply(no, text, imap.Code("UNAVAILABLE"))) is Reason.TOO_MANY
    assert judge(smtp.Greeting.read(b"421 4.3.2 x")) is Reason.BUSY
    assert judge(smtp.Greeting.read(b"554 x")) is Reason.REFUSED
    assert judge(imap.Greeting(imap.Condition.BYE, "x")) is Reason.BUSY
    assert judge(imap.Greeting(imap.Condition.BYE, "x", imap.Code("LIMIT"))) is (
        Reason.TOO_MANY
    )
    assert judge(pop3.Greeting("x", ok=False)) is Reason.BUSY
    assert judge(None) is Reason.REFUSED
    assert set(SAYS) == set(Reason)


def test_what_a_server_said_is_one_line() -> None:
    lines = (b"535-5.7.8 Username and Password not accepted. For", b"535 5.7.8 more")
    said = "535 5.7.8 Username and Password not accepted. For more"
    assert words(smtp.Reply.read(*lines)) == said
    assert words(smtp.Greeting(code=421)) == "421"
    code = imap.Code("ALERT")
    assert (
        words(imap.Reply(imap.Condition.NO, "\x1b[1m", code)) == r"NO [ALERT] \x1b[1m"
    )
    assert words(imap.Greeting(imap.Condition.BYE, "x")) == "BYE x"
    assert words(pop3.Reply(False, "no", "AUTH")) == "-ERR [AUTH] no"
    reply = smtp.Reply.read(b"421-4.7.0 Too many", b"421 4.7.0 login attempts")
    assert judge(reply) is Reason.TOO_MANY
