"""SMTP, submission and LMTP of the embedded server: in memory, then on sockets."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import sqlite3
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailproto import CommandFailed, LocalProtocolError, Security, sasl, smtp, sync
from mailproto.embedded import MailServer
from mailproto.embedded.letters import LETTERS
from mailproto.embedded.smtp import SPOOLED, Smtp
from mailproto.embedded.store import Store
from mailproto.smtp import Mail, Notify, NotSent, Rcpt, Reply, Ret, Returned
from tests.adapters import KINDS, connect, play
from tests.messages import MESSAGES
from tests.test_adapters import read_line
from tests.wire import Wire, say

LETTER = b"Subject: x\r\n\r\nHello.\r\n"
CAT, ANN, BOB = "cat@example.org", "ann@example.net", "bob@example.com"


class Session(Wire):
    """Our client and the embedded server's handler."""

    def __init__(
        self,
        store: Store,
        security: Security = Security.CLEARTEXT,
        dialect: smtp.Dialect = smtp.SMTP,
        **options: Any,
    ) -> None:
        limits = smtp.Limits(message=100_000_000)
        server = smtp.Server(security, dialect=dialect, limits=limits)
        kept = smtp.Newlines.KEEP
        client = smtp.Client(security, dialect=dialect, strict=True, newlines=kept)
        self.app = Smtp(server, store, "example.org", **options)
        super().__init__(client, server, self.app.handle)
        self.client: smtp.Client = client
        server.send(self.app.greeting())
        self.carry()
        assert client.next_event() == smtp.Greeting("example.org mailproto ready")

    def send(self, *recipients: str, message: bytes = LETTER) -> smtp.Sent:
        to = recipients or (ANN,)
        return self.run(smtp.send_message(self.client, message, CAT, to))


@pytest.fixture
def store() -> Iterator[Store]:
    kept = Store()
    for name in ("ann", "bob"):
        kept.add_user(name, f"{name}'s secret")
    yield kept
    kept.close()


@pytest.fixture
def session(store: Store) -> Iterator[Session]:
    made = Session(store)
    yield made
    made.app.close()


# -- what comes in -----------------------------------------------------------------


def test_a_message_is_kept_as_it_came(session: Session, store: Store) -> None:
    for message in MESSAGES.values():
        if not message.isascii() or b"\n" in message.replace(b"\r\n", b""):
            continue
        assert session.send(message=message).accepted.keys() == {ANN}
    kept = store.messages()
    assert len(kept) > 10
    for each in kept:
        assert each.data in MESSAGES.values()
        assert (each.sender, each.recipients) == (CAT, (ANN,))
        assert each.users == ("ann",)


def test_by_data_and_by_bdat_in_pieces(session: Session, store: Store) -> None:
    session.run(smtp.hello(session.client))
    for commands in (
        [smtp.Data(LETTER)],
        [
            smtp.Bdat.of(LETTER[:5]),
            smtp.Bdat.of(LETTER[5:]),
            smtp.Bdat.of(b"", last=True),
        ],
    ):
        for command in (Mail(CAT), Rcpt(ANN), *commands):
            session.run(say(command))
    assert [message.data for message in store.messages()] == [LETTER, LETTER]


def test_the_envelope_is_kept_with_its_parameters(
    session: Session, store: Store
) -> None:
    mail, rcpt = Mail("", Ret(Returned.HDRS)), Rcpt(ANN, Notify())
    session.run(smtp.send_message(session.client, LETTER, mail, [rcpt]))
    (message,) = store.messages()
    assert message.mail == Mail("", Ret(Returned.HDRS), smtp.Size(len(LETTER)))
    assert message.rcpts == (rcpt,)


def test_one_message_for_many_is_one(session: Session, store: Store) -> None:
    session.send(ANN, BOB, "nobody@example.org", "ANN@example.com", "Postmaster")
    (message,) = store.messages()
    assert message.users == ("ann", "bob")
    assert len(message.recipients) == 5
    assert len(store.listing("ann")) == 1


def test_a_message_is_refused_by_what_it_is(session: Session, store: Store) -> None:
    with pytest.raises(NotSent, match="CR or LF by itself"):
        session.send(message=b"Subject: x\r\n\r\na\nb\r\n")
    assert store.messages() == []
    assert session.send().complete


def test_what_was_begun_anew_is_forgotten(session: Session, store: Store) -> None:
    session.run(smtp.hello(session.client))
    for command in (
        Mail(CAT),
        Rcpt(BOB),
        smtp.Bdat.of(b"half a message"),
        smtp.Rset(),
        Mail(CAT),
        Rcpt(ANN),
        smtp.Bdat.of(LETTER, last=True),
    ):
        session.run(say(command))
    (message,) = store.messages()
    assert message.data == LETTER
    assert message.users == ("ann",)


def test_a_large_message_is_not_held_in_memory(store: Store) -> None:
    session = Session(store)
    large = LETTER + b"0123456789abcdef\r\n" * (SPOOLED // 9)
    assert session.send(message=large).complete
    assert store.messages()[0].data == large
    session.app.close()


class Broken(Store):
    """It is full."""

    def deliver(self, *arguments: Any, **options: Any) -> list[int]:
        raise sqlite3.OperationalError("database or disk is full")


@pytest.mark.parametrize("dialect", [smtp.SMTP, smtp.LMTP])
def test_what_is_not_stored_is_not_accepted(dialect: smtp.Dialect) -> None:
    store = Broken()
    for name in ("ann", "bob"):
        store.add_user(name, "secret")
    session = Session(store, dialect=dialect)
    with pytest.raises(NotSent, match="could not be stored") as refused:
        session.send(ANN, BOB)
    assert refused.value.refused.keys() == {ANN, BOB}
    assert {reply.code for reply in refused.value.refused.values()} == {451}
    session.app.close()
    store.close()


# -- who may send ------------------------------------------------------------------


def test_strangers_may_get_no_mail(store: Store) -> None:
    session = Session(store, strangers=False)
    sent = session.send(ANN, "nobody@example.org")
    assert sent.refused["nobody@example.org"] == Reply(
        550, "no such user here", smtp.EnhancedCode(5, 1, 1)
    )
    with pytest.raises(NotSent):
        session.send("nobody@example.org")
    assert [message.recipients for message in store.messages()] == [(ANN,)]
    session.app.close()


def test_in_lmtp_each_has_an_answer(store: Store) -> None:
    session = Session(store, dialect=smtp.LMTP, strangers=False)
    sent = session.send(ANN, "nobody@example.org", BOB)
    assert sent.accepted.keys() == {ANN, BOB}
    assert sent.refused.keys() == {"nobody@example.org"}
    assert session.client.capabilities is not None
    assert not session.client.capabilities.sasl
    session.app.close()


def test_who_sends_must_log_in_where_it_is_closed(store: Store) -> None:
    session = Session(store, closed=True)
    with pytest.raises(NotSent, match=r"530 5\.7\.0 log in first"):
        session.send()
    with pytest.raises(CommandFailed, match="wrong name or password"):
        session.run(smtp.log_in(session.client, "ann", "wrong"))
    session.run(smtp.log_in(session.client, "ann", "ann's secret"))
    assert session.send().complete
    session.app.close()


MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")


@pytest.mark.parametrize("mechanism", [*MECHANISMS, "SCRAM-SHA-512"])
@pytest.mark.parametrize("password", ["ann's secret", "wrong"])
def test_every_mechanism(session: Session, mechanism: str, password: str) -> None:
    known = sasl.candidates("ann", password=password)
    fit = [each for each in known if each.mechanism == mechanism]
    log_in = smtp.log_in(session.client, "ann", mechanisms=fit)
    if password == "wrong":
        with pytest.raises(CommandFailed) as refused:
            session.run(log_in)
        assert refused.value.answer.code == 535
        assert not session.client.authenticated
    else:
        assert session.run(log_in) == mechanism
        assert session.client.authenticated


def test_a_log_in_may_be_given_up(session: Session) -> None:
    session.run(smtp.hello(session.client))
    call = session.client.send(smtp.Auth("PLAIN"))
    session.carry()
    session.client.next_event()
    session.client.send(smtp.Cancel())
    session.carry()
    call.feed(session.client.next_event())
    with pytest.raises(CommandFailed, match="as you like"):
        call.result()


def test_no_password_in_the_clear(store: Store) -> None:
    session = Session(store, Security.OPTIONAL)
    offered = session.run(smtp.hello(session.client))
    assert offered is not None
    assert offered.sasl
    assert not {"PLAIN", "LOGIN"} & set(offered.sasl)
    session.app.close()


# -- what else is said -------------------------------------------------------------


def test_what_is_offered_inside_of_tls_and_outside(store: Store) -> None:
    session = Session(store, Security.STARTTLS)
    clear = session.run(say(smtp.Ehlo("client.example")))
    inside = session.run(smtp.hello(session.client))
    assert clear.starttls
    assert inside is not None
    assert not inside.starttls
    assert inside.requiretls
    assert {"PLAIN", "LOGIN"} <= set(inside.sasl)
    for word in ("PIPELINING", "CHUNKING", "8BITMIME", "SMTPUTF8", "DSN"):
        assert word in clear
        assert word in inside
    session.app.close()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (smtp.Helo("client.example"), 250),
        (smtp.Noop(), 250),
        (smtp.Rset(), 250),
        (smtp.Help("MAIL"), 214),
        (smtp.Vrfy("ann"), 252),
        (smtp.Quit(), 221),
    ],
)
def test_small_talk(session: Session, command: Any, code: int) -> None:
    assert session.run(say(command)).code == code


def test_there_are_no_lists(session: Session) -> None:
    with pytest.raises(CommandFailed, match="no lists"):
        session.run(say(smtp.Expn("staff")))


# -- on sockets --------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        running.add_user("ann", "secret")
        yield running


@pytest.fixture(autouse=True)
def emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "server" in request.fixturenames:
        request.getfixturevalue("server").clear()


def plain(server: MailServer) -> smtplib.SMTP:
    return smtplib.SMTP("localhost", server.ports["smtp"], timeout=20)


def submission(server: MailServer) -> smtplib.SMTP:
    mail = smtplib.SMTP("localhost", server.ports["submission"], timeout=20)
    mail.starttls(context=server.client_context())
    mail.login("ann", "secret")
    return mail


def submissions(server: MailServer) -> smtplib.SMTP:
    port, tls = server.ports["submissions"], server.client_context()
    mail = smtplib.SMTP_SSL("localhost", port, timeout=20, context=tls)
    mail.login("ann", "secret")
    return mail


def lmtp(server: MailServer) -> smtplib.SMTP:
    return smtplib.LMTP("localhost", server.ports["lmtp"])


@pytest.mark.parametrize("talk", [plain, submission, submissions, lmtp])
def test_smtplib_sends_by_every_service(
    server: MailServer, talk: Callable[[MailServer], smtplib.SMTP]
) -> None:
    with talk(server) as mail:
        for message in LETTERS.values():
            mail.sendmail(CAT, [ANN], message)
    kept = server.wait_for(len(LETTERS))
    assert [message.data for message in kept] == list(LETTERS.values())
    assert {message.users for message in kept} == {("ann",)}


SERVICES = ("smtp", "submission", "submissions", "lmtp")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("service", SERVICES)
def test_our_client_sends_by_every_service(
    server: MailServer, kind: str, service: str
) -> None:
    security = {"submissions": Security.IMPLICIT, "lmtp": Security.OPTIONAL}
    dialect = smtp.LMTP if service == "lmtp" else smtp.SMTP
    port = server.ports[service]

    async def scenario() -> None:
        demanded = security.get(service, Security.STARTTLS)
        conn = smtp.Client(demanded, dialect=dialect, strict=True)
        tls = server.client_context()
        async with await connect(kind, conn, port, tls=tls) as session:
            if service.startswith("submission"):
                await session.run(smtp.log_in(conn, "ann", "secret"))
            for message in LETTERS.values():
                send = smtp.send_message(conn, message, CAT, [ANN])
                assert (await session.run(send)).complete
            await session.run(smtp.Quit())

    play(kind, scenario)
    assert [m.data for m in server.messages] == list(LETTERS.values())


def test_it_can_be_waited_for(server: MailServer) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Bcc"] = CAT, ANN, BOB
    message.set_content("hello\n")
    with plain(server) as mail:
        mail.send_message(message)
    (kept,) = server.wait_for(1)
    assert kept.email.get_content().strip() == "hello"
    assert kept.recipients == (ANN, BOB)
    with pytest.raises(TimeoutError, match=r"1 of 2 messages came within 0\.01 sec"):
        server.wait_for(2, timeout=0.01)


def test_it_can_be_waited_for_in_a_coroutine() -> None:
    async def main() -> None:
        async with MailServer() as server:
            waiting = asyncio.create_task(asyncio.to_thread(server.wait_for, 1))
            conn = smtp.Client(Security.OPTIONAL)
            port = server.ports["smtp"]
            async with await connect("asyncio", conn, port) as session:
                await session.run(smtp.send_message(conn, LETTER, CAT, [ANN]))
            (message,) = await waiting
            assert message.data == LETTER
            assert message.users == ()

    asyncio.run(main())


def test_a_password_in_the_clear_is_refused_unless_one_says_so() -> None:
    for cleartext in (False, True):
        with MailServer(cleartext=cleartext) as server:
            server.add_user("ann", "secret")
            for service in ("smtp", "submission"):
                conn = smtp.Client(Security.CLEARTEXT)
                known = [sasl.Plain("ann", "secret")]
                log_in = smtp.log_in(conn, "ann", mechanisms=known)
                port = server.ports[service]
                with sync.connect(conn, server.host, port) as session:
                    if cleartext:
                        assert session.run(log_in) == "PLAIN"
                        continue
                    with pytest.raises(LocalProtocolError, match="no way to log in"):
                        session.run(log_in)


def test_mail_for_strangers_may_be_refused() -> None:
    with MailServer(strangers=False) as server, plain(server) as mail:
        server.add_user("bob@example.com", "secret")
        mail.sendmail(CAT, [BOB], LETTER)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            mail.sendmail(CAT, [ANN], LETTER)
        assert [message.recipients for message in server.messages] == [(BOB,)]


def test_who_falls_silent_is_not_waited_for() -> None:
    with MailServer(idle_timeout=0.05) as server:
        port = server.ports["smtp"]
        with socket.create_connection((server.host, port), 20) as sock:
            assert read_line(sock).startswith(b"220")
            sock.sendall(b"NOOP\r\n")
            assert read_line(sock).startswith(b"250")
            assert sock.recv(100) == b""


def test_what_was_accepted_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mail.db"
    with MailServer(path=path) as server, plain(server) as mail:
        mail.sendmail(CAT, [ANN], LETTER)
        other = Store(path)
        assert [message.data for message in other.messages()] == [LETTER]
        other.close()
