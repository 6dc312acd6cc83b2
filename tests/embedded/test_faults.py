"""Faults on order: each kind, in each protocol, and what happens to real clients."""

from __future__ import annotations

import imaplib
import poplib
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from enum import Enum
from typing import Any

import pytest

from mailproto import MailError, Security, imap, pop3, smtp, sync
from mailproto._command import Deviation
from mailproto.embedded import Fault, MailServer
from mailproto.embedded.faults import commands_of, read_reply
from mailproto.embedded.quirks import _RULES, shown_as
from mailproto.services import Protocol
from tests.adapters import server_tls

LETTER = b"Subject: hi\r\n\r\nho\r\n"


@contextmanager
def running(*faults: Fault, **options: Any) -> Iterator[MailServer]:
    with MailServer(cleartext=True, faults=faults, **options) as server:
        server.add_user("ann", "secret")
        server.deliver(LETTER, to="ann")
        yield server


@contextmanager
def imap_of(server: MailServer) -> Iterator[imaplib.IMAP4]:
    mail = imaplib.IMAP4(server.host, server.ports["imap"], timeout=20)
    try:
        yield mail
    finally:
        with suppress(OSError):
            mail.shutdown()


def pop_of(server: MailServer) -> closing[poplib.POP3]:
    return closing(poplib.POP3(server.host, server.ports["pop3"], timeout=20))


def smtp_of(server: MailServer) -> closing[smtplib.SMTP]:
    return closing(smtplib.SMTP(server.host, server.ports["smtp"], timeout=20))


# -- another reply ---------------------------------------------------------------


def test_smtp_refuses_the_second_recipient_once() -> None:
    with running(Fault("smtp", "RCPT", nth=2, reply="451 4.3.0 later")) as server:
        assert [fault.nth for fault in server.faults.left] == [2]
        to = ["ann@example.com", "bob@example.com", "cy@example.com"]
        with smtp_of(server) as mail:
            refused = mail.sendmail("x@example.com", to, LETTER)
        assert refused == {"bob@example.com": (451, b"4.3.0 later")}
        assert server.faults.left == ()
        kept = server.messages[-1]
        assert not kept.is_to("bob@example.com")
        assert kept.is_to("cy@example.com")
        assert "S: 451 4.3.0 later\n" in str(server.conversations()[0])


def test_a_message_that_is_refused_at_its_end_is_not_kept() -> None:
    with running(
        Fault("smtp", "DATA.", reply="554-5.7.1 no\n554 5.7.1 never")
    ) as server:
        with smtp_of(server) as mail:
            with pytest.raises(smtplib.SMTPDataError, match="never"):
                mail.sendmail("x@example.com", "ann@example.com", LETTER)
            mail.sendmail("x@example.com", "ann@example.com", LETTER)
        assert len(server.messages) == 2


def test_a_reply_that_grants_is_said_of_what_is_done() -> None:
    with running(Fault("smtp", "DATA.", reply="250 2.0.0 queued as 1")) as server:
        with smtp_of(server) as mail:
            mail.ehlo()
            mail.mail("x@example.com")
            mail.rcpt("ann@example.com")
            assert mail.data(LETTER) == (250, b"2.0.0 queued as 1")
        assert len(server.messages) == 2


def test_lmtp_refuses_for_each_recipient() -> None:
    with running(Fault("lmtp", "DATA.", reply="452 4.2.2 full")) as server:
        server.add_user("bob", "secret")
        conn = smtp.Client(Security.CLEARTEXT, dialect=smtp.LMTP)
        with sync.connect(conn, server.host, server.ports["lmtp"]) as session:
            session.run(smtp.Lhlo("here"))
            session.run(smtp.Mail("x@example.com"))
            session.run(smtp.Rcpt("ann@example.com"))
            session.run(smtp.Rcpt("bob@example.com"))
            session.run(smtp.Data(LETTER))
            session.run(smtp.Noop())
        assert str(server.conversations()[0]).count("S: 452 4.2.2 full\n") == 2
        assert len(server.messages) == 1


def test_421_and_bye_are_the_end() -> None:
    faults = (
        Fault("smtp", "MAIL", reply="421 4.3.2 closing"),
        Fault("imap", "SELECT", reply="BYE closing"),
    )
    with running(*faults) as server:
        with smtp_of(server) as mail:
            mail.ehlo()
            assert mail.mail("x@example.com")[0] == 421
            with pytest.raises(smtplib.SMTPServerDisconnected):
                mail.noop()
        with imap_of(server) as box:
            box.login("ann", "secret")
            with pytest.raises(imaplib.IMAP4.abort):
                box.select()
        assert not server.faults.left


def test_pop3_and_imap_refuse() -> None:
    faults = (
        Fault("pop3", "RETR", reply="-ERR [SYS/TEMP] later"),
        Fault("pop3", "STAT", reply="+OK 7 70"),
        Fault("imap", "FETCH", nth=2, times=2, reply="NO [INUSE] later"),
        Fault("imap", "UID FETCH", reply="BAD what?"),
        Fault("imap", "NOOP", reply="OK nothing"),
        Fault("imap", "APPEND", reply="NO [OVERQUOTA] full"),
        Fault("imap", "APPEND.", reply="NO [OVERQUOTA] fuller"),
        Fault("imap", "AUTHENTICATE.", reply="NO never"),
    )
    with running(*faults) as server:
        with pop_of(server) as mail:
            mail.user("ann")
            mail.pass_("secret")
            assert mail.stat() == (7, 70)
            with pytest.raises(poplib.error_proto, match="later"):
                mail.retr(1)
            assert mail.retr(1)[2] == len(LETTER)
        with imap_of(server) as box:
            with pytest.raises(imaplib.IMAP4.error, match="never"):
                box.authenticate("PLAIN", lambda _: b"\0ann\0secret")
            box.login("ann", "secret")
            box.select()
            assert box.noop()[1] == [b"nothing"]
            assert [box.fetch("1", "FLAGS")[0] for _ in range(2)] == ["OK", "NO"]
            # FETCH is UID FETCH too: of two that are due, the first is said.
            assert box.uid("FETCH", "1", "FLAGS") == ("NO", [b"[INUSE] later"])
            assert box.fetch("1", "FLAGS")[0] == "OK"
            for text in (b"[OVERQUOTA] full", b"[OVERQUOTA] fuller"):
                said = box.append("INBOX", "", "", LETTER)
                assert said == ("NO", [text])
            assert box.append("INBOX", "", "", LETTER)[0] == "OK"
        assert len(server.messages) == 2
        assert not server.faults.left


@pytest.mark.parametrize(
    "fault",
    [
        Fault("smtp", "greeting", reply="554 no"),
        Fault("pop3", "greeting", reply="-ERR busy"),
        Fault("imap", "greeting", reply="BYE busy"),
    ],
    ids=str,
)
def test_a_greeting_that_refuses(fault: Fault) -> None:
    with running(fault) as server:
        port = server.ports[fault.service]
        with socket.create_connection((server.host, port), timeout=20) as sock:
            said = sock.makefile("rb").readline().decode()
        assert said == ("* " if fault.service == "imap" else "") + f"{fault.reply}\r\n"
        assert not server.faults.left


def test_tls_is_refused() -> None:
    faults = (
        Fault("smtp", "STARTTLS", reply="454 4.7.0 not now"),
        Fault("pop3", "STLS", reply="-ERR not now"),
        Fault("imap", "STARTTLS", reply="NO not now"),
    )
    with running(*faults) as server:
        context = server.client_context()
        with smtp_of(server) as mail, pytest.raises(smtplib.SMTPResponseException):
            mail.starttls(context=context)
        with pop_of(server) as pop:
            with pytest.raises(poplib.error_proto, match="not now"):
                pop.stls(context)
            pop.stls(context)
        with imap_of(server) as box, pytest.raises(imaplib.IMAP4.error):
            box.starttls(context)
        assert not server.faults.left


# -- connections that are dropped ------------------------------------------------


@pytest.mark.parametrize(
    ("service", "command", "obeyed"),
    [("smtp", "DATA.", 1), ("pop3", "QUIT", -1), ("imap", "APPEND.", 1)],
)
@pytest.mark.parametrize("drop", ["before", "middle", "after"])
def test_a_connection_is_dropped(
    service: str, command: str, obeyed: int, drop: Any
) -> None:
    """Before the command nothing is done; in the middle of its reply, all is."""
    use: dict[str, Callable[[MailServer], None]] = {
        "smtp": send_one,
        "pop3": delete_one,
        "imap": append_one,
    }
    with running(Fault(service, command, drop=drop)) as server:
        if drop == "after":
            use[service](server)
        else:
            with pytest.raises(
                (MailError, OSError, imaplib.IMAP4.error, poplib.error_proto)
            ):
                use[service](server)
        assert len(server.messages) == 1 + (0 if drop == "before" else obeyed)
        assert not server.faults.left
    text = str(server.conversations()[0])
    assert "# S closes the connection\n" in text
    assert ("(it breaks off here)" in text) is (drop == "middle")


def send_one(server: MailServer) -> None:
    conn = smtp.Client(Security.CLEARTEXT)  # smtplib believes half a reply
    with sync.connect(conn, server.host, server.ports["smtp"], timeout=20) as session:
        session.run(smtp.Ehlo("here"))
        session.run(smtp.Mail("x@example.com"))
        session.run(smtp.Rcpt("ann@example.com"))
        session.run(smtp.Data(LETTER))


def append_one(server: MailServer) -> None:
    with imap_of(server) as box:
        box.login("ann", "secret")
        assert box.append("INBOX", "", "", LETTER)[0] == "OK"


def delete_one(server: MailServer) -> None:
    with pop_of(server) as mail:
        mail.user("ann")
        mail.pass_("secret")
        mail.dele(1)
        if not mail.quit().startswith(b"+OK bye"):
            raise poplib.error_proto("cut off")


# -- the others ------------------------------------------------------------------


@pytest.mark.parametrize("use", [send_one, delete_one, append_one])
def test_octets_come_one_by_one(use: Callable[[MailServer], None]) -> None:
    faults = [
        Fault(service, command, bytewise=True)
        for service, command in (
            *(("smtp", "greeting"), ("smtp", "EHLO"), ("smtp", "DATA.")),
            *(("pop3", "greeting"), ("pop3", "PASS"), ("pop3", "QUIT")),
            *(("imap", "greeting"), ("imap", "LOGIN"), ("imap", "APPEND")),
        )
    ]
    with running(*faults) as server:
        use(server)
        assert len(server.faults.left) == 6
        service = server.conversations()[0].service
        assert all(fault.service != service for fault in server.faults.left)


@pytest.mark.parametrize("use", [send_one, delete_one, append_one])
def test_a_reply_is_late(use: Callable[[MailServer], None]) -> None:
    faults = [Fault(service, "greeting", delay=0.2) for service in ("smtp", "pop3")]
    with running(*faults, Fault("imap", "LOGIN", delay=0.2)) as server:
        start = time.monotonic()
        use(server)
        assert time.monotonic() - start >= 0.2
        assert len(server.faults.left) == 2


def test_a_certificate_has_expired() -> None:
    faults = (
        Fault("smtp", "TLS", certificate="expired"),
        Fault("pop3s", "TLS", certificate="expired"),
        Fault("imaps", "TLS", nth=2, certificate="expired"),
    )
    with running(*faults) as server:
        context = server.client_context()

        def implicit(port: str) -> None:
            where = {"pop3s": poplib.POP3_SSL, "imaps": imaplib.IMAP4_SSL}[port]
            with closing_any(
                where("localhost", server.ports[port], **{tls_word(port): context})
            ):
                pass

        mail = smtplib.SMTP("localhost", server.ports["smtp"], timeout=20)
        with (
            closing(mail),
            pytest.raises(ssl.SSLCertVerificationError, match="expired"),
        ):
            mail.starttls(context=context)
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            implicit("pop3s")
        implicit("pop3s")
        implicit("imaps")
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            implicit("imaps")
        assert not server.faults.left
    with pytest.raises(ValueError, match="the certificate is yours"):
        MailServer(tls=server_tls(), faults=faults[:1])


def tls_word(port: str) -> str:
    return "ssl_context" if port == "imaps" else "context"


@contextmanager
def closing_any(mail: Any) -> Iterator[None]:
    try:
        yield
    finally:
        (mail.shutdown if hasattr(mail, "shutdown") else mail.close)()


# -- quirks ----------------------------------------------------------------------

QUIRKS = [
    (Fault("pop3", "RETR", quirk=pop3.Quirk.STATUS_CASE), pop3.Retr(1)),
    (Fault("pop3", "PASS", quirk=pop3.Quirk.STATUS_GLUED), None),
    (Fault("pop3", "STAT", quirk=pop3.Quirk.STAT_SIZE), pop3.Stat()),
    (Fault("pop3", "NOOP", quirk=pop3.Quirk.LONG_REPLY), pop3.Noop()),
    (Fault("pop3", "UIDL", quirk=pop3.Quirk.UNIQUE_ID), pop3.Uidl()),
    (Fault("pop3", "UIDL", quirk=pop3.Quirk.UIDL_NUMBER), pop3.Uidl(1)),
    (Fault("pop3", "LIST", quirk=pop3.Quirk.LIST_LINE), pop3.List()),
    (Fault("smtp", "NOOP", quirk=smtp.Quirk.LONG_REPLY), smtp.Noop()),
    (Fault("smtp", "NOOP", quirk=smtp.Quirk.NOT_UTF8), smtp.Noop()),
    (Fault("smtp", "NOOP", quirk=smtp.Quirk.MIXED_CODES), smtp.Noop()),
    (Fault("smtp", "EHLO", quirk=smtp.Quirk.OLD_AUTH), None),
    (Fault("smtp", "EHLO", quirk=smtp.Quirk.EHLO_SPACE), None),
    (Fault("smtp", "EHLO", quirk=smtp.Quirk.EHLO_LINE), None),
    (Fault("imap", "SELECT", quirk=imap.Quirk.EXTRA_SPACE), None),
    (Fault("imap", "SELECT", quirk=imap.Quirk.NIL), None),
    (Fault("imap", "SELECT", quirk=imap.Quirk.CODE_DATA), None),
    (Fault("imap", "SELECT", quirk=imap.Quirk.MISSING_STATUS), None),
    (Fault("imap", "FETCH", quirk=imap.Quirk.MISSING_SPACE), "FLAGS"),
    (Fault("imap", "FETCH", quirk=imap.Quirk.FLOAT), "RFC822.SIZE"),
    (Fault("imap", "NOOP", quirk=imap.Quirk.MISSING_TEXT), imap.Noop()),
    (Fault("imap", "NOOP", quirk=imap.Quirk.STRAY_CR), imap.Noop()),
    (Fault("imap", "NOOP", quirk=imap.Quirk.EMPTY_LINE), imap.Noop()),
]


@pytest.mark.parametrize(("fault", "command"), QUIRKS, ids=lambda v: str(v))
def test_a_quirk_is_the_one_that_our_client_knows(fault: Fault, command: Any) -> None:
    machines: dict[str, Any] = {"pop3": pop3, "smtp": smtp, "imap": imap}
    conn = machines[fault.service].Client(Security.CLEARTEXT)
    with running(fault) as server:
        port = server.ports[fault.service]
        with sync.connect(conn, server.host, port, timeout=20) as session:
            match fault.service:
                case "pop3":
                    session.run(pop3.User("ann"))
                    session.run(pop3.Pass("secret"))
                case "smtp":
                    session.run(smtp.Ehlo("here"))
                case _:
                    session.run(imap.Login("ann", "secret"))
                    session.run(imap.Select("INBOX"))
            if isinstance(command, str):
                command = imap.Fetch(imap.SequenceSet(1), imap.Item(command))
            if command is not None:
                session.run(command)
            found = [e.quirk for e in session.unclaimed if isinstance(e, Deviation)]
        assert fault.quirk in found
        assert not server.faults.left


def test_every_quirk_that_can_be_shown_changes_something() -> None:
    """Of those that are not played above, too: the pattern fits its own example."""
    fits = {
        pop3.Quirk.BARE_CHALLENGE: b"+ \r\n",
        pop3.Quirk.CHALLENGE_TEXT: b"+ \r\n",
        pop3.Quirk.CHALLENGE_OK: b"+ \r\n",
        smtp.Quirk.BARE_CHALLENGE: b"334 \r\n",
        imap.Quirk.UNQUOTED_NAME: b'* LIST () "/" INBOX\r\n',
        imap.Quirk.ODD_DELIMITER: b'* LIST () "/" INBOX\r\n',
        imap.Quirk.ODD_FLAG: b"* FLAGS (\\Seen \\Draft)\r\n",
        imap.Quirk.ODD_CHALLENGE: b"+ \r\n",
        imap.Quirk.BARE_MODSEQ: b"* 1 FETCH (MODSEQ (4))\r\n",
        imap.Quirk.NEGATIVE: b"* STATUS INBOX (MESSAGES 1)\r\n",
        imap.Quirk.LARGE_NUMBER: b"* STATUS INBOX (UIDVALIDITY 1)\r\n",
    }
    played: set[Enum | None] = {fault.quirk for fault, _ in QUIRKS}
    assert played | set(fits) == set(_RULES)
    for quirk, reply in fits.items():
        shown = shown_as(quirk)
        assert shown is not None
        assert shown(reply) != reply
        assert shown(b"") == b""


# -- what can be said ------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"service": "nntp"}, "no service here: nntp"),
        ({"command": "RETR"}, "'RETR' is no command of SMTP"),
        ({"nth": 0}, "1 or more"),
        ({"times": 0}, "1 or more"),
        ({"delay": -1.0}, "0 seconds or more"),
        ({"drop": "later"}, "drop is"),
        ({"certificate": "stolen", "command": "TLS"}, "a certificate is"),
        ({"quirk": pop3.Quirk.STAT_SIZE}, "is no quirk of SMTP"),
        ({"quirk": imap.Quirk.NUL, "service": "imap", "command": "NOOP"}, "be shown"),
        ({"command": "TLS", "delay": 1.0}, "a TLS handshake"),
        ({"certificate": "expired"}, "shown at 'TLS'"),
        ({}, "a fault is a delay"),
        ({"drop": "before", "reply": "250 OK"}, "before a reply nothing"),
    ],
)
def test_a_fault_that_cannot_be(what: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        Fault(**{"service": "smtp", "command": "RCPT", **what})


@pytest.mark.parametrize(
    ("protocol", "command", "reply"),
    [
        ("smtp", "RCPT", "-ERR no"),
        ("smtp", "RCPT", "250-a\n251 b"),
        ("smtp", "RCPT", "999 no"),
        ("smtp", "greeting", "hello"),
        ("pop3", "RETR", "250 OK"),
        ("pop3", "RETR", "+OK\n+OK"),
        ("imap", "FETCH", "a NO later"),
        ("imap", "FETCH", "NO\nNO"),
        ("imap", "FETCH", "PREAUTH hello"),
        ("imap", "greeting", "NO hello"),
        ("imap", "greeting", "PREAUTH hello"),
    ],
)
def test_a_reply_that_is_none(protocol: str, command: str, reply: str) -> None:
    with pytest.raises(ValueError, match=f"is no reply to {command} in"):
        read_reply(Protocol(protocol), command, reply)


@pytest.mark.parametrize("protocol", Protocol)
def test_the_commands_have_their_names(protocol: Protocol) -> None:
    assert {"greeting", "TLS", "NOOP"} <= commands_of(protocol)


def test_they_come_and_go_while_the_server_runs() -> None:
    with running() as server, smtp_of(server) as mail:
        later = Fault("smtp", "NOOP", reply="450 later")
        with server.faults.during(later):
            assert list(server.faults.left) == [later]
            assert mail.noop()[0] == 450
            assert mail.noop()[0] == 250
            assert not server.faults.left
        server.faults.add(later)
        with server.faults.during(later):
            assert mail.noop()[0] == 450
        assert not server.faults.left
        server.faults.add(later, later)
        server.faults.clear()
        assert not server.faults.left
        assert mail.noop()[0] == 250
