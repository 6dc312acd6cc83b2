"""Our client against Debian's Postfix and Dovecot's LMTP, through each adapter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from mailproto import CommandFailed, LocalProtocolError, Script, Security, sasl, smtp
from mailproto.smtp import EnhancedCode, Mail, Rcpt, Reply
from tests.adapters import KINDS, connect, play
from tests.interop.daemon import below_trace
from tests.interop.dovecot import Dovecot
from tests.interop.postfix import DOMAIN, JUERGEN, Postfix
from tests.messages import MESSAGES

pytestmark = pytest.mark.interop
each = pytest.mark.parametrize("kind", KINDS)
SECURITIES = (Security.STARTTLS, Security.IMPLICIT)

ADA, ALICE, BOB = "ada@sender.example", f"alice@{DOMAIN}", f"bob@{DOMAIN}"
NOBODY = f"nobody@{DOMAIN}"
PLAIN = MESSAGES["plain"]


def below(stored: list[bytes]) -> Counter[bytes]:
    return Counter(map(below_trace, stored))


async def submission(kind: str, server: Postfix, conn: smtp.Client) -> Any:
    """A session at the port of those who log in, by that of the connection's wish."""
    implicit = conn.security is Security.IMPLICIT
    port = server.submissions_port if implicit else server.submission_port
    tls = server.client_context()
    return await connect(kind, conn, port, host=server.host, tls=tls, timeout=30)


async def relay(kind: str, server: Postfix, conn: smtp.Client) -> Any:
    """A session at the port where anybody brings mail for the domain."""
    tls, port = server.client_context(), server.smtp_port
    return await connect(kind, conn, port, host=server.host, tls=tls, timeout=30)


def user(server: Postfix) -> tuple[str, str]:
    assert server.logins is not None
    return server.logins.user, server.logins.password


# -- messages ----------------------------------------------------------------------


@each
@pytest.mark.parametrize("security", SECURITIES)
def test_every_message_arrives_octet_for_octet(
    postfix: Postfix, kind: str, security: Security
) -> None:
    async def scenario() -> None:
        conn = smtp.Client(security, strict=True)
        async with await submission(kind, postfix, conn) as session:
            how = await session.run(smtp.log_in(conn, *user(postfix)))
            assert how == "SCRAM-SHA-256"
            for message in MESSAGES.values():
                script = smtp.send_message(conn, message, ADA, [ALICE])
                sent = await session.run(script)
                assert sent.complete
                assert sent.accepted[ALICE].code == 250
            await session.run(smtp.Quit())

    play(kind, scenario)
    stored = postfix.wait_for_mail(len(MESSAGES), "alice")
    assert below(stored) == Counter(MESSAGES.values())


def by_data(message: bytes) -> list[smtp.Content]:
    return [smtp.Data(message)]


def by_bdat(message: bytes) -> list[smtp.Content]:
    """Chunks of 1000 octets, the last one empty; for 2 MB, a bit more."""
    size = max(1000, len(message) // 20)
    pieces = [message[i : i + size] for i in range(0, len(message), size)]
    return [*map(smtp.Bdat.of, pieces), smtp.Bdat.of(b"", last=True)]


@each
@pytest.mark.parametrize("content", [by_data, by_bdat])
def test_pipelined(
    postfix: Postfix, kind: str, content: Callable[[bytes], Sequence[smtp.Content]]
) -> None:
    async def scenario() -> None:
        conn = smtp.Client(Security.OPTIONAL, strict=True)
        async with await relay(kind, postfix, conn) as session:
            await session.run(smtp.Ehlo("client.example"))
            assert conn.capabilities is not None
            assert conn.capabilities.pipelining
            eight_bit = smtp.Body(smtp.BodyType.EIGHTBITMIME)
            for message in MESSAGES.values():
                mail = Mail(ADA, smtp.Size(len(message)), eight_bit)
                said = [mail, Rcpt(ALICE), Rcpt(BOB), *content(message)]
                *_, [last] = await session.run_all(said)
                assert last.code == 250
            await session.run(smtp.Quit())

    play(kind, scenario)
    for name in ("alice", "bob"):
        stored = postfix.wait_for_mail(len(MESSAGES), name)
        assert below(stored) == Counter(MESSAGES.values())


@each
def test_addresses_may_be_utf8(postfix: Postfix, kind: str) -> None:
    address, message = f"{JUERGEN}@{DOMAIN}", MESSAGES["UTF-8 header"]

    async def scenario() -> None:
        conn = smtp.Client(Security.OPTIONAL, strict=True)
        async with await relay(kind, postfix, conn) as session:
            script = smtp.send_message(
                conn, message, "πέτρος@sender.example", [address]
            )
            assert (await session.run(script)).complete
            assert conn.capabilities is not None
            assert conn.capabilities.smtputf8
            await session.run(Mail("πέτρος@sender.example", smtp.SmtpUtf8()))
            with pytest.raises(CommandFailed) as refused:
                await session.run(Rcpt(f"größe@{DOMAIN}"))
            assert refused.value.answer.enhanced == EnhancedCode(5, 1, 1)

    play(kind, scenario)
    [stored] = postfix.wait_for_mail(1, JUERGEN)
    assert below_trace(stored) == message
    assert "Return-Path: <πέτρος@sender.example>".encode() in stored


@each
def test_a_success_is_reported_as_asked_for(postfix: Postfix, kind: str) -> None:
    async def scenario() -> None:
        conn = smtp.Client(Security.OPTIONAL, strict=True)
        async with await relay(kind, postfix, conn) as session:
            mail = Mail(BOB, smtp.Ret(smtp.Returned.HDRS), smtp.EnvId("QQ+31=41 59"))
            wish = smtp.Notify((smtp.NotifyWhen.SUCCESS, smtp.NotifyWhen.FAILURE))
            rcpt = Rcpt(ALICE, wish, smtp.Orcpt("a+b=c@old.example"))
            assert await session.run(smtp.send_message(conn, PLAIN, mail, [rcpt]))

    play(kind, scenario)
    [notice] = postfix.wait_for_mail(1, "bob")
    assert b"Return-Path: <>" in notice
    for line in (
        b"Original-Envelope-Id: QQ+31=41 59",
        b"Original-Recipient: rfc822;a+b=c@old.example",
        b"Final-Recipient: rfc822; " + ALICE.encode(),
        b"Action: delivered",
        b"Content-Type: text/rfc822-headers",
    ):
        assert line + b"\r\n" in notice
    assert b"Subject: A note\r\n" in notice
    assert b"Dear Charles" not in notice  # RET=HDRS


# -- recipients --------------------------------------------------------------------

REFUSALS = {
    NOBODY: (550, EnhancedCode(5, 1, 1)),
    f"full@{DOMAIN}": (452, EnhancedCode(4, 2, 2)),
    f"blocked@{DOMAIN}": (550, EnhancedCode(5, 7, 1)),
    "charles@elsewhere.example": (554, EnhancedCode(5, 7, 1)),
}


def told(refused: Mapping[str, Reply]) -> dict[str, tuple[int, EnhancedCode | None]]:
    return {name: (reply.code, reply.enhanced) for name, reply in refused.items()}


@each
def test_each_refused_recipient_is_told_why(postfix: Postfix, kind: str) -> None:
    async def scenario() -> None:
        conn = smtp.Client(Security.OPTIONAL, strict=True)
        async with await relay(kind, postfix, conn) as session:
            everybody = [ALICE, *REFUSALS, BOB]
            script = smtp.send_message(conn, PLAIN, ADA, everybody)
            sent = await session.run(script)
            assert list(sent.accepted) == [ALICE, BOB]
            assert told(sent.refused) == REFUSALS
            with pytest.raises(smtp.NotSent) as nothing:
                await session.run(smtp.send_message(conn, PLAIN, ADA, list(REFUSALS)))
            assert told(nothing.value.refused) == REFUSALS
            script = smtp.send_message(conn, PLAIN, ADA, everybody, partial=False)
            with pytest.raises(smtp.NotSent):
                await session.run(script)
            sent = await session.run(smtp.send_message(conn, PLAIN, ADA, [ALICE]))
            assert sent.complete

    play(kind, scenario)
    assert below(postfix.wait_for_mail(2, "alice")) == Counter([PLAIN, PLAIN])
    postfix.wait_until_idle()
    assert below(postfix.stored("bob")) == Counter([PLAIN])


@each
def test_a_pipelined_refusal_shifts_no_answer(postfix: Postfix, kind: str) -> None:
    async def scenario() -> None:
        conn = smtp.Client(Security.OPTIONAL, strict=True)
        async with await relay(kind, postfix, conn) as session:
            await session.run(smtp.Ehlo("client.example"))
            for bad in REFUSALS:
                said = [Mail(ADA), Rcpt(bad), smtp.Data(PLAIN)]
                with pytest.raises(CommandFailed) as refused:
                    await session.run_all(said)
                assert refused.value.command == Rcpt(bad)
                await session.run(smtp.Rset())
                said = [Mail(ADA), Rcpt(ALICE), smtp.Data(PLAIN)]
                *_, [last] = await session.run_all(said)
                assert last.code == 250
            await session.run(smtp.Quit())

    play(kind, scenario)
    stored = postfix.wait_for_mail(len(REFUSALS), "alice")
    assert below(stored) == Counter(len(REFUSALS) * [PLAIN])


@each
def test_what_is_besides(postfix: Postfix, kind: str) -> None:
    async def scenario() -> None:
        conn = smtp.Client(Security.OPTIONAL, strict=True)
        async with await relay(kind, postfix, conn) as session:
            assert session.greeting.domain == f"mail.{DOMAIN}"
            assert (await session.run(smtp.Helo("client.example"))).code == 250
            assert conn.capabilities is None
            offered = await session.run(smtp.Ehlo("client.example"))
            assert offered.size == postfix.size
            assert (await session.run(smtp.Noop("still here"))).code == 250
            assert (await session.run(smtp.Vrfy(ALICE))).code == 252
            for refused, code in (
                (smtp.Vrfy(NOBODY), 550),
                (smtp.Expn("alice"), 500),
                (smtp.Etrn("elsewhere.example"), 459),
            ):
                with pytest.raises(CommandFailed) as failure:
                    await session.run(refused)
                assert failure.value.answer.code == code
            with pytest.raises(LocalProtocolError, match="larger than"):
                await session.run(Mail(ADA, smtp.Size(postfix.size + 1)))
            assert (await session.run(smtp.Quit())).code == 221

    play(kind, scenario)


@each
def test_a_proxy_tells_who_its_client_is(postfix: Postfix, kind: str) -> None:
    """XCLIENT begins the session anew; XFORWARD is for the log only."""

    async def scenario() -> None:
        conn = smtp.Client(Security.OPTIONAL, strict=True)
        async with await relay(kind, postfix, conn) as session:
            offered = await session.run(smtp.Ehlo("proxy.example"))
            assert {"NAME", "ADDR", "PROTO"} <= offered.xclient & offered.xforward
            spike = smtp.Xclient.of(NAME="spike.example", ADDR="192.0.2.1")
            assert (await session.run(spike)).code == 220
            assert conn.capabilities is None
            await session.run(smtp.Ehlo("spike.example"))
            origin = smtp.Xforward.of(NAME="origin.example", ADDR="192.0.2.7")
            assert (await session.run(origin)).code == 250
            sent = await session.run(smtp.send_message(conn, PLAIN, ADA, [ALICE]))
            assert sent.complete

    play(kind, scenario)
    [stored] = postfix.wait_for_mail(1, "alice")
    assert below_trace(stored) == PLAIN
    assert b"from spike.example (spike.example [192.0.2.1])" in stored
    postfix.wait_for_log("client=origin.example[192.0.2.7]")


# -- logging in --------------------------------------------------------------------

LOG_INS: dict[str, Callable[[str, str], sasl.Mechanism]] = {
    "PLAIN": sasl.Plain,
    "LOGIN": sasl.Login,
    "CRAM-MD5": sasl.CramMd5,
    "SCRAM-SHA-1": lambda name, password: sasl.Scram(name, password, "SHA-1"),
    "SCRAM-SHA-256": lambda name, password: sasl.Scram(name, password, "SHA-256"),
}


@each
@pytest.mark.parametrize("name", LOG_INS)
def test_mechanisms(postfix: Postfix, kind: str, name: str) -> None:
    def log_in(conn: smtp.Client, who: str, password: str) -> Script[str]:
        return smtp.log_in(conn, who, mechanisms=[LOG_INS[name](who, password)])

    async def scenario() -> None:
        conn = smtp.Client(Security.IMPLICIT, strict=True)
        async with await submission(kind, postfix, conn) as session:
            with pytest.raises(CommandFailed) as refused:
                await session.run(log_in(conn, "dave", "wrong"))
            assert refused.value.answer.code == 535
            assert refused.value.answer.enhanced == EnhancedCode(5, 7, 8)
            assert not conn.authenticated
            with pytest.raises(smtp.NotSent):
                await session.run(smtp.send_message(conn, PLAIN, ADA, [ALICE]))
            assert await session.run(log_in(conn, "dave", "Straße 7")) == name
            sent = [Mail(ADA, smtp.AuthAs(BOB)), Rcpt(ALICE), smtp.Data(PLAIN)]
            await session.run_all(sent)

    play(kind, scenario)
    postfix.wait_for_log(f"sasl_method={name}, sasl_username=dave")


@each
def test_plaintext_is_refused_by_both_ends(postfix: Postfix, kind: str) -> None:
    async def scenario() -> None:
        for security, port in (
            (Security.OPTIONAL, postfix.smtp_port),
            (Security.CLEARTEXT, postfix.smtp_port),
            (Security.CLEARTEXT, postfix.submission_port),
        ):
            conn = smtp.Client(security)
            tls = postfix.client_context()
            session = await connect(kind, conn, port, host=postfix.host, tls=tls)
            async with session:
                with pytest.raises(LocalProtocolError, match="no way to log in"):
                    await session.run(smtp.log_in(conn, *user(postfix)))

    play(kind, scenario)


@each
def test_plaintext_is_sent_where_both_ends_say_so(kind: str) -> None:
    async def scenario(postfix: Postfix) -> None:
        for security in (Security.OPTIONAL, Security.CLEARTEXT):
            conn = smtp.Client(security)
            name, password = user(postfix)
            plain = [sasl.Plain(name, password)]
            async with await relay(kind, postfix, conn) as session:
                script = smtp.log_in(conn, name, mechanisms=plain)
                if security is Security.OPTIONAL:
                    with pytest.raises(LocalProtocolError, match="no way to log in"):
                        await session.run(script)
                else:
                    assert await session.run(script) == "PLAIN"

    with (
        Dovecot(plaintext=True) as logins,
        Postfix(logins=logins, plaintext=True) as lax,
    ):
        play(kind, lambda: scenario(lax))


# -- LMTP --------------------------------------------------------------------------


async def lmtp(kind: str, server: Dovecot, conn: smtp.Client) -> Any:
    port = server.lmtp_port
    return await connect(kind, conn, port, host=server.host, timeout=30)


@each
def test_lmtp_answers_for_each_recipient(dovecot: Dovecot, kind: str) -> None:
    # Carol's mailbox is no directory: she is accepted, and the message fails for her.
    (dovecot.directory / "mail" / "carol").write_bytes(b"")
    carol = f"carol@{DOMAIN}"

    async def scenario() -> None:
        conn = smtp.Client(Security.OPTIONAL, dialect=smtp.LMTP, strict=True)
        async with await lmtp(kind, dovecot, conn) as session:
            everybody = [ALICE, NOBODY, carol, BOB]
            sent = await session.run(smtp.send_message(conn, PLAIN, ADA, everybody))
            assert list(sent.accepted) == [ALICE, BOB]
            assert {reply.code for reply in sent.accepted.values()} == {250}
            assert told(sent.refused) == {
                NOBODY: (550, EnhancedCode(5, 1, 1)),
                carol: (451, EnhancedCode(4, 2, 0)),
            }
            await session.run(Mail(ADA))
            await session.run(Rcpt(ALICE))
            with pytest.raises(CommandFailed) as refused:
                await session.run(Rcpt(NOBODY))
            assert refused.value.answer.code == 550
            await session.run(Rcpt(carol))
            replies = await session.run(smtp.Data(PLAIN))
            assert [reply.code for reply in replies] == [250, 451]
            await session.run(smtp.Quit())

    play(kind, scenario)
    for name, count in (("alice", 2), ("bob", 1)):
        stored = [as_sent(message) for message in dovecot.stored(name)]
        assert stored == count * [PLAIN]


@each
def test_lmtp_carries_every_message(dovecot: Dovecot, kind: str) -> None:
    messages = dict(MESSAGES)
    utf8 = messages.pop("UTF-8 header")  # which Dovecot 2.3 does not take

    async def scenario() -> None:
        conn = smtp.Client(Security.OPTIONAL, dialect=smtp.LMTP, strict=True)
        async with await lmtp(kind, dovecot, conn) as session:
            for message in messages.values():
                script = smtp.send_message(conn, message, ADA, [ALICE, BOB])
                assert list((await session.run(script)).accepted) == [ALICE, BOB]
            script = smtp.send_message(conn, utf8, ADA, [ALICE, BOB])
            with pytest.raises(LocalProtocolError, match="not offer SMTPUTF8"):
                await session.run(script)
            await session.run(smtp.Quit())

    play(kind, scenario)
    for name in ("alice", "bob"):
        stored = Counter(as_sent(message) for message in dovecot.stored(name))
        assert stored == Counter(messages.values())


def as_sent(stored: bytes) -> bytes:
    """Dovecot's LMTP writes Unix lines, below a trace of its own."""
    return below_trace(stored).replace(b"\n", b"\r\n")
