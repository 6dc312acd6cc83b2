"""The filter of SMTP in docs/examples, between real sockets."""

from __future__ import annotations

import asyncio
import smtplib
import tracemalloc
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from examples.filter import Forbid, gateway
from examples.filter.gateway import Upstream
from examples.filter.smtp import IDLE, smtp_filter
from mailproto import (
    Chunk,
    Closed,
    CommandFailed,
    End,
    RemoteProtocolError,
    Security,
    sasl,
    smtp,
)
from mailproto.asyncio import Session, connect, serve
from mailproto.embedded import MailServer
from mailproto.smtp import Reply
from tests.adapters import client_tls, server_tls
from tests.filtering import (
    BIG,
    MAIL,
    NEW,
    NO,
    OLD,
    RCPT,
    VIRUS,
    Mta,
    filtering,
    judge,
    play,
    run_all,
    send,
    talking,
)
from tests.messages import MESSAGES

BOTH = pytest.mark.parametrize("words", [OLD, NEW], ids=["DATA", "BDAT"])

# -- SMTP: what passes ---------------------------------------------------------------


@BOTH
def test_messages_pass_octet_for_octet(words: tuple[str, ...]) -> None:
    async def scenario() -> None:
        mta = Mta(*words)
        async with filtering(mta) as port, talking(port) as session:
            for message in (*MESSAGES.values(), BIG):
                assert await send(session, message) == Reply(250, "as you say")
            await session.run(smtp.Quit())
        assert mta.kept == [*MESSAGES.values(), BIG]
        assert mta.connections == 1
        assert mta.heard[-1] == smtp.Quit()

    play(scenario)


def test_chunks_pass_octet_for_octet() -> None:
    async def scenario() -> None:
        mta = Mta(*NEW, "BINARYMIME")
        binary = smtp.Body(smtp.BodyType.BINARYMIME)
        parts = [b"Subject: x\r\n\r\n\0\n", BIG * 2, b"\r.\r"]
        async with filtering(mta) as port, talking(port) as session:
            chunks = [smtp.Bdat.of(part) for part in parts]
            last = smtp.Bdat.of(b"\n", last=True)
            mail = smtp.Mail("ann@example.org", binary)
            await run_all(session, mail, RCPT, *chunks, last)
        assert mta.kept == [b"".join(parts) + b"\n"]

    play(scenario)


@BOTH
def test_smtplib_passes(words: tuple[str, ...]) -> None:
    def client(port: int) -> None:
        with smtplib.SMTP("localhost", port, timeout=20) as mail:
            mail.starttls(context=client_tls())
            for message in (MESSAGES["plain"], BIG):
                mail.sendmail("ann@example.org", ["bob@example.net"], message)
            with pytest.raises(smtplib.SMTPDataError, match="virus"):
                mail.sendmail("ann@example.org", ["bob@example.net"], VIRUS)

    async def scenario() -> None:
        mta = Mta(*words)
        async with filtering(mta, Security.STARTTLS, tls=server_tls()) as port:
            await asyncio.to_thread(client, port)
        assert mta.kept == [MESSAGES["plain"], BIG]

    play(scenario)


def test_the_embedded_server_gets_its_mail() -> None:
    async def scenario() -> None:
        async with MailServer() as behind:
            behind.add_user("bob", "secret")
            tls, port = behind.client_context(), behind.ports["smtp"]
            route = Upstream("localhost", port, Security.STARTTLS, tls)
            async with (
                smtp_filter(judge, route, security=Security.CLEARTEXT) as front,
                talking(front.port) as session,
            ):
                rcpt = smtp.Rcpt("bob@localhost")
                await run_all(session, MAIL, rcpt, smtp.Data(MESSAGES["plain"]))
            assert bytes(behind.messages[0].data) == MESSAGES["plain"]

    play(scenario)


def test_what_is_offered() -> None:
    """What the server offers, less what cannot pass, and what is the filter's own."""
    theirs = ["SIZE 1000", "8BITMIME", "STARTTLS", "XCLIENT ADDR", "XFORWARD ADDR"]
    theirs += ["BURL imap", "XYZZY", "DSN", "AUTH PLAIN SCRAM-SHA-1"]
    theirs += ["AUTH EXTERNAL SCRAM-SHA-1-PLUS"]

    async def scenario() -> None:
        mta = Mta(*theirs)
        async with (
            filtering(mta, Security.OPTIONAL, tls=server_tls()) as port,
            talking(port, Security.OPTIONAL) as session,
        ):
            offered = session.conn.capabilities
            assert offered is not None
            names = {line.keyword for line in offered.extensions}
            expected = {"PIPELINING", "STARTTLS", "AUTH", "SIZE", "8BITMIME", "DSN"}
            assert names == expected
            assert offered.size == 1000
            assert offered.sasl == ("SCRAM-SHA-1",)  # PLAIN would be in the clear
            await session.run(smtp.StartTls())
            await mta.over.wait()
            assert (await session.run(smtp.Noop())).ok
            with pytest.raises(CommandFailed, match="503"):
                await session.run(smtp.Vrfy("ann"))
            assert mta.connections == 1
            offered = await session.run(smtp.Ehlo("client.example"))
            assert offered.sasl == ("PLAIN", "SCRAM-SHA-1")
            assert not offered.starttls
        assert mta.connections == 2

    play(scenario)


def test_tls_on_both_sides() -> None:
    async def scenario() -> None:
        mta = Mta(*NEW, "STARTTLS")
        front = filtering(mta, Security.STARTTLS, Security.STARTTLS, tls=server_tls())
        async with front as port, talking(port, Security.STARTTLS) as session:
            await session.run(smtp.StartTls())
            await session.run(smtp.Ehlo("client.example"))
            assert (await send(session, MESSAGES["plain"])).ok
        assert mta.kept == [MESSAGES["plain"]]

    play(scenario)


@pytest.mark.parametrize(
    "mechanism",
    [
        sasl.Plain("ann", "secret"),
        sasl.Login("ann", "secret"),
        sasl.Scram("ann", "secret"),
        sasl.CramMd5("ann", "secret"),
    ],
    ids=lambda each: each.mechanism,
)
def test_a_log_in_passes(mechanism: sasl.Mechanism) -> None:
    async def scenario() -> None:
        mta = Mta(*NEW, f"AUTH {mechanism.mechanism}")
        async with filtering(mta) as port, talking(port) as session:
            assert (await session.run(smtp.Auth.using(mechanism))).code == 235
            # It would be lost with the connection, so that is kept.
            assert (await send(session, BIG + VIRUS + b"\r\n")) == NO
            assert (await send(session, BIG)).ok
        assert mta.connections == 1
        assert mta.kept == [BIG]

    play(scenario)


def test_a_log_in_fails() -> None:
    async def scenario() -> None:
        mta = Mta(*NEW, "AUTH SCRAM-SHA-256")
        async with filtering(mta) as port, talking(port) as session:
            wrong = smtp.Auth.using(sasl.Scram("ann", "wrong"))
            with pytest.raises(CommandFailed) as refused:
                await session.run(wrong)
            assert refused.value.answer == Reply(535)
            session.conn.send(smtp.Auth("SCRAM-SHA-256"))
            await session.next_event()
            session.conn.send(smtp.Cancel())
            assert (await session.next_event()).answer == Reply(501, "cancelled")

    play(scenario)


def test_a_response_that_is_not_base64_is_cancelled() -> None:
    async def scenario() -> None:
        mta = Mta(*NEW, "AUTH PLAIN")
        async with filtering(mta) as port:
            reader, writer = await asyncio.open_connection("localhost", port)
            writer.write(b"EHLO a\r\nAUTH PLAIN\r\n!\r\n")
            writer.write(b"AUTH PLAIN\r\nAGFubgBzZWNyZXQ=\r\nQUIT\r\n")
            said = await reader.read()
            writer.close()
            await writer.wait_closed()
        codes = [line[:4] for line in said.splitlines()]
        assert codes[-5:] == [b"334 ", b"501 ", b"334 ", b"235", b"221"]

    play(scenario)


def test_a_judge_that_breaks_lets_nothing_pass(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Forbid[Reply]):
        def verdict(self) -> Reply | None:
            raise ZeroDivisionError

    async def scenario() -> None:
        mta, make = Mta(*NEW), lambda mail, rcpts: Broken(VIRUS, NO)
        async with filtering(mta, judge=make) as port, talking(port) as session:
            with pytest.raises(RemoteProtocolError):
                await send(session, BIG)
            await mta.over.wait()
        assert mta.kept == []
        assert "a handler failed" in caplog.text

    play(scenario)


def test_only_who_was_accepted_is_told_to_the_judge() -> None:
    seen: list[Sequence[smtp.Rcpt]] = []

    def look(mail: smtp.Mail, rcpts: Sequence[smtp.Rcpt]) -> Forbid[Reply]:
        seen.append(rcpts)
        return Forbid(VIRUS, NO)

    async def scenario() -> None:
        mta = Mta(*NEW)
        async with filtering(mta, judge=look) as port, talking(port) as session:
            await run_all(session, MAIL, RCPT)
            mta.answers[smtp.Rcpt] = Reply(550, "who is that?")
            with pytest.raises(CommandFailed, match="who is that"):
                await session.run(smtp.Rcpt("carol@example.net"))
            await session.run(smtp.Data(BIG))
        assert seen == [(RCPT,)]
        assert mta.kept == [BIG]

    play(scenario)


def test_a_log_in_that_was_lost_must_be_repeated() -> None:
    async def scenario() -> None:
        mta = Mta(*OLD, "AUTH PLAIN")
        async with filtering(mta) as port, talking(port) as session:
            await session.run(smtp.Auth.using(sasl.Plain("ann", "secret")))
            assert (await send(session, BIG + VIRUS + b"\r\n")) == NO
            with pytest.raises(CommandFailed, match="421"):
                await session.run(MAIL)
        assert mta.kept == []

    play(scenario)


def test_the_server_knows_the_true_client() -> None:
    async def scenario() -> None:
        mta = Mta(*NEW, "XCLIENT ADDR NAME HELO", "XFORWARD ADDR PROTO")
        async with filtering(mta) as port, talking(port) as session:
            assert (await send(session, MESSAGES["plain"])).ok
        hello = smtp.Ehlo("client.example")
        told = smtp.Xclient.of(
            NAME="[UNAVAILABLE]", ADDR="127.0.0.1", HELO="client.example"
        )
        forwarded = smtp.Xforward.of(ADDR="127.0.0.1", PROTO="ESMTP")
        assert mta.heard[:5] == [hello, told, hello, forwarded, MAIL]

    play(scenario)


def test_who_says_helo_gets_his_mail_through() -> None:
    async def scenario() -> None:
        mta = Mta(*NEW)
        async with filtering(mta) as port:
            conn = smtp.Client(Security.CLEARTEXT)
            async with await connect(conn, "localhost", port) as session:
                assert (await session.run(smtp.Noop())).ok
                assert mta.connections == 0  # until it is needed
                await session.run(smtp.Helo("client.example"))
                assert (await send(session, BIG)).ok
        assert mta.kept == [BIG]

    play(scenario)


def test_a_server_that_knows_no_ehlo() -> None:
    async def scenario() -> None:
        mta = Mta()
        mta.answers[smtp.Ehlo] = Reply(502)
        async with filtering(mta) as port, talking(port) as session:
            assert session.conn.capabilities is not None
            assert len(session.conn.capabilities.extensions) == 1
            assert (await send(session, BIG)).ok
            assert (await send(session, BIG + VIRUS + b"\r\n")) == NO
            assert (await send(session, MESSAGES["plain"])).ok
        assert mta.kept == [BIG, MESSAGES["plain"]]

    play(scenario)


# -- SMTP: what does not pass --------------------------------------------------------


@BOTH
@pytest.mark.parametrize("before", [b"", BIG], ids=["small", "big"])
def test_a_verdict_drops_the_transaction(words: tuple[str, ...], before: bytes) -> None:
    async def scenario() -> None:
        mta = Mta(*words)
        async with filtering(mta) as port, talking(port) as session:
            bad = before + VIRUS + b"\r\n"
            assert await send(session, bad) == NO
            assert await send(session, MESSAGES["plain"]) == Reply(250, "as you say")
        assert mta.kept == [MESSAGES["plain"]]
        # Only DATA that has begun cannot be taken back but by hanging up.
        assert mta.connections == (2 if before and words is OLD else 1)
        assert (smtp.Rset() in mta.heard) is not (mta.connections == 2)

    play(scenario)


def test_a_verdict_on_chunks() -> None:
    async def scenario() -> None:
        mta = Mta(*NEW)
        async with filtering(mta) as port, talking(port) as session:
            first = smtp.Bdat.of(BIG + VIRUS)
            last = smtp.Bdat.of(b"\r\n", last=True)
            with pytest.raises(CommandFailed) as refused:
                await run_all(session, MAIL, RCPT, first, last)
            assert refused.value.answer == NO
            assert refused.value.command == last
            await session.run(smtp.Rset())
            assert (await send(session, BIG)).ok
        assert mta.kept == [BIG]

    play(scenario)


@BOTH
def test_refusals_pass_reply_for_reply(words: tuple[str, ...]) -> None:
    async def scenario() -> None:
        mta = Mta(*words)
        full = Reply(452, "over quota\nreally", smtp.EnhancedCode(4, 2, 2))
        async with filtering(mta) as port, talking(port) as session:
            for kind, what in ((smtp.Mail, MAIL), (smtp.Rcpt, RCPT), (End, None)):
                mta.answers = {kind: full}
                with pytest.raises(CommandFailed) as refused:
                    await run_all(session, MAIL, RCPT, smtp.Data(BIG))
                assert refused.value.answer == full
                assert what is None or refused.value.command == what
                mta.answers = {}
                await session.run(smtp.Rset())
            mta.answers = {smtp.Data: full}
            if words is OLD:
                assert await send(session, BIG) == full
                assert await send(session, MESSAGES["plain"]) == full
                mta.answers = {}
            assert (await send(session, MESSAGES["plain"])).ok
        assert mta.kept == [MESSAGES["plain"]]

    play(scenario)


@BOTH
@pytest.mark.parametrize("ending", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n"])
def test_smuggled_endings_do_not_reach_the_server(
    words: tuple[str, ...], ending: bytes
) -> None:
    async def scenario() -> None:
        mta = Mta(*words)
        async with filtering(mta) as port:
            reader, writer = await asyncio.open_connection("localhost", port)
            writer.write(b"EHLO a\r\nMAIL FROM:<ann@example.org>\r\n")
            writer.write(b"RCPT TO:<bob@example.net>\r\nDATA\r\n" + BIG + ending)
            writer.write(b"MAIL FROM:<evil@example.org>\r\n.\r\nQUIT\r\n")
            said = await reader.read()
            writer.close()
            await writer.wait_closed()
        assert said.splitlines()[-2][:9] == b"550 5.6.0"
        assert mta.kept == []
        assert [m for m in mta.heard if isinstance(m, smtp.Mail)] == [MAIL]

    play(scenario)


# -- SMTP: ends -----------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("size", [100, 200_000])
def test_a_client_that_hangs_up_amid_a_message_sends_none(
    words: tuple[str, ...], size: int
) -> None:
    async def scenario() -> None:
        mta = Mta(*words)
        async with filtering(mta) as port:
            async with talking(port) as session:
                await session.run_all([MAIL, RCPT])
                session.conn.send(smtp.Data())
                await session.next_event()
                session.conn.send(Chunk(b"x" * size))
                await session.flush()
            await mta.over.wait()  # the server is hung up on at once
        assert mta.kept == []

    play(scenario)


@BOTH
@pytest.mark.parametrize("kind", [smtp.Mail, smtp.Rcpt, Chunk, End])
@pytest.mark.parametrize("answer", [None, Reply(421, "good night")])
def test_a_server_that_hangs_up(
    words: tuple[str, ...], kind: type[Any], answer: Reply | None
) -> None:
    """Whoever was told 421 by the filter knows: the message is his, still."""

    async def scenario() -> None:
        mta = Mta(*words)
        mta.answers[kind] = answer
        async with filtering(mta) as port, talking(port) as session:
            with pytest.raises(CommandFailed) as refused:
                await run_all(session, MAIL, RCPT, smtp.Data(BIG))
            assert refused.value.answer.code == 421
            assert isinstance(await session.next_event(), Closed)
        assert mta.kept == []

    play(scenario)


def test_a_client_that_says_nothing_is_sent_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        mta = Mta(*NEW)
        async with filtering(mta) as port, talking(port) as session:
            monkeypatch.setattr(gateway, "IDLE", 0.01)
            await session.run(smtp.Noop())
            event = await session.next_event()
            assert event == smtp.Closing(IDLE)
            await mta.over.wait()

    play(scenario)


def test_a_server_that_says_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def silent(session: Session[smtp.Server]) -> None:
        session.conn.send(smtp.Greeting("mx"))
        while not isinstance(event := await session.next_event(), Closed):
            assert event == smtp.Ehlo("client.example")
            await session.next_event()  # until the filter hangs up

    async def scenario() -> None:
        make = partial(smtp.Server, Security.CLEARTEXT)
        async with serve(make, silent) as server:
            route = Upstream("localhost", server.port, Security.CLEARTEXT)
            async with smtp_filter(judge, route) as front:
                monkeypatch.setattr(gateway, "PATIENCE", 0.01)
                conn = smtp.Client(Security.CLEARTEXT)
                async with await connect(conn, "localhost", front.port) as session:
                    with pytest.raises(CommandFailed, match=r"451 4\.4\.1"):
                        await session.run(smtp.Ehlo("client.example"))

    play(scenario)


def test_a_server_out_of_reach() -> None:
    async def scenario() -> None:
        async with serve(smtp.Server, Mta().handle) as server:
            pass
        route = Upstream("localhost", server.port, Security.CLEARTEXT)
        async with smtp_filter(judge, route) as front:
            conn = smtp.Client(Security.CLEARTEXT)
            async with await connect(conn, "localhost", front.port) as session:
                for hello in (smtp.Ehlo("a"), smtp.Helo("a"), smtp.Ehlo("a")):
                    with pytest.raises(CommandFailed, match=r"451 4\.4\.1"):
                        await session.run(hello)
                await session.run(smtp.Quit())

    play(scenario)


def test_a_server_that_greets_with_a_refusal() -> None:
    async def refuse(session: Session[smtp.Server]) -> None:
        session.conn.send(smtp.Greeting("go away", 554))

    async def scenario() -> None:
        async with serve(smtp.Server, refuse) as server:
            route = Upstream("localhost", server.port)
            async with smtp_filter(judge, route) as front:
                conn = smtp.Client(Security.CLEARTEXT)
                async with await connect(conn, "localhost", front.port) as session:
                    with pytest.raises(CommandFailed, match="554 go away"):
                        await session.run(smtp.Ehlo("a"))

    play(scenario)


@BOTH
@pytest.mark.parametrize("tail", [b"", VIRUS])
def test_twenty_megabytes_in_bounded_memory(
    words: tuple[str, ...], tail: bytes
) -> None:
    async def scenario() -> None:
        mta = Mta(*words)
        mta.keep = False
        piece = b"0123456789abcde\r\n" * 3855  # 64 KiB, or nearly
        async with filtering(mta) as port, talking(port) as session:
            await session.run_all([MAIL, RCPT])
            call = session.conn.send(smtp.Data())
            await session.next_event()
            tracemalloc.start()
            try:
                for _ in range(320):
                    session.conn.send(Chunk(piece))
                    await session.flush()
                session.conn.send(Chunk(tail + b"\r\n"))
                session.conn.send(End())
                while not call.done:
                    call.feed(await session.next_event())
                assert tracemalloc.get_traced_memory()[1] < 4_000_000
            finally:
                tracemalloc.stop()
            with suppress(CommandFailed):
                assert call.result()[0].ok
                assert not tail
        assert mta.octets >= 320 * len(piece) - 131_072 * bool(tail)

    play(scenario)


def test_a_client_is_no_faster_than_the_server() -> None:
    async def scenario() -> None:
        enough, sent = asyncio.Event(), 0

        async def slow(session: Session[smtp.Server]) -> None:
            server = session.conn
            server.send(smtp.Greeting("mx"))
            while not isinstance(event := await session.next_event(), Closed):
                if isinstance(event, smtp.Ehlo):
                    server.send(smtp.EhloData("mx"))
                elif isinstance(event, smtp.Data):
                    server.send(Reply(354))
                elif isinstance(event, Chunk):
                    await enough.wait()
                else:
                    server.send(Reply(250))

        async def client(session: Session[smtp.Client]) -> None:
            nonlocal sent
            session.conn.send(smtp.Data())
            await session.next_event()
            for _ in range(1000):
                session.conn.send(Chunk(b"x" * 65534 + b"\r\n"))
                await session.flush()
                sent += 1
            session.conn.send(End())
            assert (await session.next_event()).ok

        make = smtp.Server(Security.CLEARTEXT, limits=smtp.Limits(message=2**40))
        async with serve(lambda: make, slow) as server:
            route = Upstream("localhost", server.port, Security.CLEARTEXT)
            async with (
                smtp_filter(judge, route) as front,
                talking(front.port) as session,
            ):
                await session.run_all([MAIL, RCPT])
                task = asyncio.ensure_future(client(session))
                before = -1
                while before < sent or not sent:  # until it stands still
                    before = sent
                    for _ in range(1000):
                        await asyncio.sleep(0)
                assert not task.done()
                assert sent < 700
                enough.set()
                await task

    play(scenario)
