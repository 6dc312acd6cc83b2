"""The promises of a Session, kept by all three adapters."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import trio

from mailproto import (
    Chunk,
    CommandFailed,
    End,
    Flow,
    Hand,
    LimitExceeded,
    LocalProtocolError,
    Part,
    Pipelined,
    Relay,
    RemoteProtocolError,
    Script,
    Security,
    do,
    pop3,
)
from mailproto.pop3 import Reply
from mailproto.pop3.historic import HISTORIC, XtndXmit
from tests.adapters import (
    KINDS,
    MESSAGES,
    PASSWORD,
    answer,
    client_tls,
    connect,
    play,
    raw_server,
    server_tls,
    serving,
)

each = pytest.mark.parametrize("kind", KINDS)
pairs = pytest.mark.parametrize(
    ("kind", "server"), [(kind, server) for kind in KINDS for server in KINDS]
)
SECURITIES = (Security.CLEARTEXT, Security.STARTTLS, Security.IMPLICIT)


@pairs
@pytest.mark.parametrize("security", SECURITIES)
def test_a_whole_session(kind: str, server: str, security: Security) -> None:
    async def scenario() -> None:
        conn = pop3.Client(security)
        async with await connect(kind, conn, port) as session:
            assert session.greeting == pop3.Greeting("ready")
            assert session.peer == ("127.0.0.1", port)
            assert await session.run(pop3.log_in(conn, "ann", PASSWORD)) == "USER"
            assert conn.tls is (security is not Security.CLEARTEXT)
            assert (session.ssl_object is not None) is conn.tls
            assert (await session.run(pop3.Stat())).count == 2
            got = await session.run_all([pop3.Retr(1), pop3.Retr(2), pop3.Retr(1)])
            assert got == [MESSAGES[1], MESSAGES[2], MESSAGES[1]]
            chunks = [part.data async for part in session.stream(pop3.Retr(2))]
            assert b"".join(chunks) == MESSAGES[2]
            assert all(len(chunk) <= 65536 for chunk in chunks)
            await session.run(pop3.Quit())

    with serving(server, security) as port:
        play(kind, scenario)


@each
def test_flows(kind: str) -> None:
    async def scenario() -> None:
        conn = pop3.Client(Security.CLEARTEXT)
        async with await connect(kind, conn, port) as session:
            await session.run(pop3.log_in(conn, "ann", PASSWORD))
            kept = bytearray()
            uids = []
            async for event in session.stream(pop3.fetch_new({"uid1"})):
                match event:
                    case Chunk(data=data):
                        kept += data
                    case pop3.Arrived(uid=uid):
                        uids.append(uid)
            assert uids == ["uid2"]
            assert bytes(kept) == MESSAGES[2]

    with serving("asyncio") as port:
        play(kind, scenario)


@each
def test_refusals_are_raised_into_scripts_and_flows(kind: str) -> None:
    def script() -> Script[str]:
        try:
            yield from do(pop3.Retr(9))
        except CommandFailed as refusal:
            number = yield from do(pop3.Stat())
            return f"{refusal.answer.text}, {number.count} there are"
        return "granted"

    def flow() -> Iterator[Any]:
        for command in (pop3.Retr(9), pop3.Utf8()):
            try:
                yield Relay(command)
            except (CommandFailed, LocalProtocolError) as error:
                yield Hand(type(error))
        yield pop3.Noop()

    async def scenario() -> None:
        conn = pop3.Client(Security.CLEARTEXT)
        async with await connect(kind, conn, port) as session:
            await session.run(pop3.log_in(conn, "ann", PASSWORD))
            assert await session.run(script()) == "no such message, 2 there are"
            handed = [item async for item in session.stream(flow())]
            assert handed == [CommandFailed, LocalProtocolError]
            with pytest.raises(CommandFailed):
                async for _ in session.stream(pop3.Retr(9)):
                    pass
            assert (await session.run(pop3.Stat())).count == 2

    with serving("asyncio") as port:
        play(kind, scenario)


@each
def test_all_answers_are_read_before_a_refusal_is_raised(kind: str) -> None:
    async def scenario() -> None:
        conn = pop3.Client(Security.CLEARTEXT)
        async with await connect(kind, conn, port) as session:
            await session.run(pop3.log_in(conn, "ann", PASSWORD))
            with pytest.raises(CommandFailed) as refused:
                await session.run_all([pop3.Retr(1), pop3.Retr(9), pop3.Retr(8)])
            assert refused.value.command == pop3.Retr(9)
            with pytest.raises(LocalProtocolError, match="USER"):
                await session.run_all([pop3.Retr(1), pop3.User("ann"), pop3.Retr(2)])
            assert (await session.run(pop3.Stat())).count == 2
            assert not session.unclaimed

    with serving("asyncio") as port:
        play(kind, scenario)


@each
def test_a_script_is_told_what_became_of_each(kind: str) -> None:
    good, bad, wrong = pop3.Retr(1), pop3.Retr(9), pop3.User("ann")

    def script() -> Script[list[Any]]:
        return (yield Pipelined((good, bad, good, wrong, good)))  # type: ignore[no-any-return]

    def flow() -> Iterator[Any]:
        yield Hand((yield Pipelined((bad, good))))

    async def scenario() -> None:
        conn = pop3.Client(Security.CLEARTEXT)
        async with await connect(kind, conn, port) as session:
            await session.run(pop3.log_in(conn, "ann", PASSWORD))
            first, refused, again, unsent = await session.run(script())
            assert first == again == MESSAGES[1]
            assert isinstance(refused, CommandFailed)
            assert refused.command == bad
            assert isinstance(unsent, LocalProtocolError)
            [[refused, first]] = [item async for item in session.stream(flow())]
            assert isinstance(refused, CommandFailed)
            assert first == MESSAGES[1]
            assert not session.unclaimed

    with serving("asyncio") as port:
        play(kind, scenario)


# -- TLS ---------------------------------------------------------------------------


@each
def test_the_certificate_is_verified(kind: str) -> None:
    async def scenario() -> None:
        conn = pop3.Client(Security.IMPLICIT)
        with pytest.raises(Exception) as caught:
            await connect(kind, conn, port, **options)
        found: BaseException | None = caught.value
        while not isinstance(found, ssl.SSLCertVerificationError):
            assert found is not None, caught.value
            found = found.__cause__ or found.__context__

    options: dict[str, Any]
    for name, options in (  # noqa: B007  # the scenario uses them
        ("elsewhere.example", {}),  # another name
        ("localhost", {"tls": None}),  # an authority that nobody knows
        ("localhost", {"server_hostname": "elsewhere.example"}),
    ):
        with serving("sync", Security.IMPLICIT, tls=server_tls(name)) as port:
            play(kind, scenario)


@each
def test_a_refused_stls_is_no_reason_to_go_on(kind: str) -> None:
    def refuse(event: Any) -> list[Any]:
        return [Reply(False)] if event == pop3.Stls() else answer(event)

    async def scenario() -> None:
        conn = pop3.Client(Security.STARTTLS)
        async with await connect(kind, conn, port) as session:
            with pytest.raises(CommandFailed):
                await session.run(pop3.log_in(conn, "ann", PASSWORD))
            with pytest.raises(LocalProtocolError, match="before TLS"):
                await session.run(pop3.User("ann"))

    with serving("asyncio", answer=refuse) as port:
        play(kind, scenario)


BROKEN = (OSError, trio.BrokenResourceError)


def read_line(sock: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\r\n"):
        data = sock.recv(1)
        assert data, line
        line += data
    return line


@each
@pytest.mark.parametrize("late", [False, True])
def test_a_client_believes_nothing_that_was_planted(kind: str, late: bool) -> None:
    """The attacker cannot break TLS, and speaks before it begins."""

    def attack(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"+OK ready\r\n")
        assert read_line(sock) == b"STLS\r\n"
        planted = b"+OK\r\nSASL PLAIN\r\n.\r\n"
        if late:
            sock.sendall(b"+OK begin\r\n")
            sock.sendall(planted)
        else:
            sock.sendall(b"+OK begin\r\n" + planted)
        sock.settimeout(1)
        shake = server_tls().wrap_socket
        with suppress(OSError), shake(sock, server_side=True) as over_tls:
            over_tls.recv(1)

    async def scenario() -> None:
        conn = pop3.Client(Security.STARTTLS)
        async with await connect(kind, conn, port) as session:
            with pytest.raises((RemoteProtocolError, *BROKEN)):
                await session.run(stls_then_capa())
            assert conn.capabilities is None

    with raw_server(attack) as port:
        play(kind, scenario)


def stls_then_capa() -> Script[None]:
    yield pop3.Stls()
    yield pop3.Capa()


@each
def test_a_server_obeys_nothing_that_was_planted(kind: str) -> None:
    obeyed: list[Any] = []

    def watch(event: Any) -> list[Any]:
        obeyed.append(event)
        return answer(event)

    with (
        serving(kind, Security.STARTTLS, watch) as port,
        socket.create_connection(("127.0.0.1", port), 10) as sock,
    ):
        assert read_line(sock) == b"+OK ready\r\n"
        sock.sendall(b"STLS\r\nUSER eve\r\n")
        assert read_line(sock).startswith(b"-ERR ")
        assert sock.recv(1) == b""
    assert obeyed == []


# -- deadlines and cancellation ----------------------------------------------------


def drip(sock: socket.socket) -> None:
    sock.sendall(b"+OK ready\r\n")
    read_line(sock)
    try:
        while True:
            sock.sendall(b"+")
            time.sleep(0.02)  # the peer's own slowness, not a wait for anything
    except OSError:
        pass


async def limited_sync(session: Any) -> None:
    await session.run(pop3.Capa())


async def limited_asyncio(session: Any) -> None:
    async with asyncio.timeout(0.3):
        await session.run(pop3.Capa())


async def limited_trio(session: Any) -> None:
    with trio.fail_after(0.3):
        await session.run(pop3.Capa())


LIMITED = {"sync": limited_sync, "asyncio": limited_asyncio, "trio": limited_trio}


@each
def test_a_peer_that_drips_does_not_win(kind: str) -> None:
    async def scenario() -> None:
        conn = pop3.Client(Security.CLEARTEXT)
        async with await connect(kind, conn, port, timeout=0.3) as session:
            start = time.monotonic()
            with pytest.raises((TimeoutError, trio.TooSlowError)):
                await LIMITED[kind](session)
            assert time.monotonic() - start < 5

    with raw_server(drip) as port:
        play(kind, scenario)


def challenge(sock: Any) -> None:
    """Greet, ask for ever, and take what is no log-in for a NOOP."""
    sock.sendall(b"+OK\r\n")
    lines = sock.makefile("rb")
    while line := lines.readline():
        said = {b"A": b"+ eA==\r\n", b"*": b"-ERR\r\n"}
        sock.sendall(said.get(line[:1], b"+OK\r\n"))


def log_in_for(seconds: float | None) -> Flow[str]:
    """A command that goes on until it is ended, which is a refusal here."""
    try:
        yield Relay(pop3.Auth("PLAIN"), ending=pop3.Cancel(), within=seconds)
    except CommandFailed:
        yield Hand("ended")


@each
def test_a_flow_ends_a_command_when_its_time_is_over(kind: str) -> None:
    async def scenario() -> None:
        conn = pop3.Client(Security.CLEARTEXT)
        async with await connect(kind, conn, port) as session:
            assert await session.next_event(0.01) is None
            got = [value async for value in session.stream(log_in_for(0.01))]
            assert got == ["ended"]
            await session.run(pop3.Quit())

    with raw_server(challenge) as port:
        play(kind, scenario)


@each
def test_a_flow_may_make_something_else_of_the_parts(kind: str) -> None:
    async def scenario() -> None:
        conn = pop3.Client(Security.CLEARTEXT)
        async with await connect(kind, conn, port) as session:
            await session.run(pop3.log_in(conn, "ann", PASSWORD))
            relay = Relay(pop3.Uidl(), through=lambda entry: [entry.uid, entry.number])
            got = [value async for value in session.stream(_only(relay))]
            assert got == ["uid1", 1, "uid2", 2]

    with serving("sync") as port:
        play(kind, scenario)


def _only(relay: Relay) -> Flow[Any]:
    yield relay


@each
def test_a_wait_with_a_time_of_its_own_sees_the_end(kind: str) -> None:
    """That the peer hangs up is no time-out."""

    async def scenario() -> None:
        conn = pop3.Client(Security.CLEARTEXT)
        async with await connect(kind, conn, port) as session:
            with pytest.raises(RemoteProtocolError, match="closed by the server"):
                await session.next_event(20)

    with raw_server(lambda sock: sock.sendall(b"+OK\r\n")) as port:
        play(kind, scenario)


@pytest.mark.parametrize("kind", ["asyncio", "trio"])
@pytest.mark.parametrize("command", [pop3.Stat(), pop3.Retr(2)], ids=repr)
def test_a_wait_that_is_given_up_shifts_no_answer(kind: str, command: Any) -> None:
    """Cancelled after so many turns of the loop, wherever that may be."""

    async def give_up(session: Any, turns: int) -> None:
        if kind == "asyncio":
            task = asyncio.create_task(session.run(command))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        else:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.run, command)
                for _ in range(turns):
                    await trio.sleep(0)
                nursery.cancel_scope.cancel()

    async def scenario() -> None:
        used = 0
        for turns in range(25):
            conn = pop3.Client(Security.CLEARTEXT)
            async with await connect(kind, conn, port) as session:
                await session.run(pop3.log_in(conn, "ann", PASSWORD))
                await give_up(session, turns)
                try:
                    listing = await session.run(pop3.List())
                except (LocalProtocolError, RemoteProtocolError) as error:
                    assert "closed" in str(error)  # noqa: PT017
                    continue
                used += 1
                assert [entry.number for entry in listing] == [1, 2]
                assert not session.unclaimed
        assert used

    with serving("asyncio") as port:
        play(kind, scenario)


@pytest.mark.parametrize("kind", ["asyncio", "trio"])
def test_a_second_task_is_told_so(kind: str) -> None:
    async def scenario() -> None:
        conn = pop3.Client(Security.CLEARTEXT)
        async with await connect(kind, conn, port) as session:
            stream = session.stream(pop3.Capa())
            await anext(stream)
            with pytest.raises(LocalProtocolError, match="another task"):
                await session.run(pop3.Capa())
            await stream.aclose()
            assert await session.run(pop3.Capa())

    with serving("asyncio") as port:
        play(kind, scenario)


@each
def test_a_closed_session_says_so(kind: str) -> None:
    async def scenario() -> None:
        conn = pop3.Client(Security.CLEARTEXT)
        session = await connect(kind, conn, port)
        await session.close()
        with pytest.raises(LocalProtocolError, match="closed: you closed it"):
            await session.run(pop3.Capa())
        await session.close()

    with serving("asyncio") as port:
        play(kind, scenario)


# -- the other end goes wrong ------------------------------------------------------


@each
@pytest.mark.parametrize(
    "wire",
    [b"", b"+OK\r\nhalf a mess", b"+OK\r\nmessage\r\n.", b"+OK"],
)
def test_a_message_that_is_cut_off_is_an_error_at_once(kind: str, wire: bytes) -> None:
    def cut(sock: socket.socket) -> None:
        sock.sendall(b"+OK ready\r\n")
        read_line(sock)
        sock.sendall(b"+OK\r\n")
        read_line(sock)
        sock.sendall(b"+OK\r\n")
        read_line(sock)
        sock.sendall(wire)

    async def scenario() -> None:
        conn = pop3.Client(Security.CLEARTEXT)
        async with await connect(kind, conn, port) as session:
            await session.run_all([pop3.User("ann"), pop3.Pass("x")])
            with pytest.raises(RemoteProtocolError, match="connection closed"):
                await session.run(pop3.Retr(1))

    with raw_server(cut) as port:
        play(kind, scenario)


@each
@pytest.mark.parametrize("greeting", [b"-ERR [SYS/TEMP] later\r\n", b"* BYE\r\n", b""])
def test_a_server_that_does_not_welcome_us(kind: str, greeting: bytes) -> None:
    async def scenario() -> None:
        expected = CommandFailed if greeting.startswith(b"-") else RemoteProtocolError
        with pytest.raises(expected):
            await connect(kind, pop3.Client(Security.CLEARTEXT), port)

    with raw_server(lambda sock: sock.sendall(greeting)) as port:
        play(kind, scenario)


@each
def test_events_that_nobody_claims_are_kept_in_order(kind: str) -> None:
    """Deviations, here; what they were about is claimed all the same."""

    def odd(sock: socket.socket) -> None:
        sock.sendall(b"+ok ready\r\n")
        read_line(sock)
        sock.sendall(b"+OKsure\r\nUIDL\r\n.\r\n")
        read_line(sock)

    async def scenario() -> None:
        conn = pop3.Client(Security.CLEARTEXT)
        async with await connect(kind, conn, port) as session:
            assert (await session.run(pop3.Capa())).uidl
            quirks = [(await session.next_event()).quirk for _ in range(2)]
            assert quirks == [pop3.Quirk.STATUS_CASE, pop3.Quirk.STATUS_GLUED]
            conn.send(pop3.Capa())
            await session.flush()

    with raw_server(odd) as port:
        play(kind, scenario)


@each
def test_a_server_session_must_answer_first(kind: str) -> None:
    seen: list[str] = []

    def check(session: Any, error: BaseException | None) -> None:
        seen.append(str(error))

    async def impatient(session: Any) -> None:
        session.conn.send(pop3.Greeting())
        await session.next_event()
        try:
            await session.next_event()
        except LocalProtocolError as error:
            check(session, error)
            raise

    def impatient_sync(session: Any) -> None:
        session.conn.send(pop3.Greeting())
        session.next_event()
        try:
            session.next_event()
        except LocalProtocolError as error:
            check(session, error)
            raise

    handler = impatient_sync if kind == "sync" else impatient
    with (
        serving(kind, handler=handler) as port,
        socket.create_connection(("127.0.0.1", port), 10) as sock,
    ):
        read_line(sock)
        sock.sendall(b"CAPA\r\n")
        assert sock.recv(1) == b""
    assert "send something first" in seen[0]


# -- servers -----------------------------------------------------------------------


@each
def test_a_broken_handler_hurts_one_connection(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: Any) -> list[Any]:
        if event == pop3.User("boom"):
            raise ZeroDivisionError("a handler is broken")
        return answer(event)

    with serving(kind, answer=broken) as port:
        good = socket.create_connection(("127.0.0.1", port), 10)
        bad = socket.create_connection(("127.0.0.1", port), 10)
        with good, bad:
            for sock in (good, bad):
                read_line(sock)
            bad.sendall(b"USER boom\r\n")
            assert bad.recv(1) == b""
            good.sendall(b"NONSENSE\r\n")
            assert read_line(good).startswith(b"-ERR")
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [
        ZeroDivisionError
    ]


@each
def test_connections_are_limited(kind: str) -> None:
    with serving(kind, max_connections=2) as port:
        inside = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(2)]
        for sock in inside:
            assert read_line(sock) == b"+OK ready\r\n"
        third = socket.create_connection(("127.0.0.1", port), 10)
        with third, suppress(ConnectionResetError):
            assert third.recv(1) == b""
        inside.pop().close()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:  # the place is free, sooner or later
            with socket.create_connection(("127.0.0.1", port), 10) as fourth:
                try:
                    if fourth.recv(3) == b"+OK":
                        break
                except ConnectionResetError:
                    pass
        else:
            pytest.fail("no place became free")
        inside.pop().close()


@each
def test_a_server_that_closes_cuts_who_stays(kind: str) -> None:
    options: dict[str, Any] = {} if kind == "sync" else {"grace": 0.1}
    with serving(kind, **options) as port:
        sock = socket.create_connection(("127.0.0.1", port), 10)
        read_line(sock)
        if kind == "sync":
            sock.close()  # its close() is tested by itself
    if kind != "sync":
        with sock, suppress(ConnectionResetError):
            assert sock.recv(1) == b""


# -- both write at once ------------------------------------------------------------

BIG = (b"x" * 997 + b"\r\n") * 10_500  # 10 MiB


def flood(event: Any) -> list[Any]:
    match event:
        case pop3.Retr():
            return [Reply(True), Chunk(BIG), End()]
        case Chunk():
            return []
        case pop3.Pass():
            return [Reply(True)]
    return answer(event)


@pairs
@pytest.mark.parametrize("security", [Security.CLEARTEXT, Security.STARTTLS])
def test_ten_megabytes_each_way(kind: str, server: str, security: Security) -> None:
    def answers(event: Any) -> list[Any]:
        return [Reply(True)] if isinstance(event, End) else flood(event)

    async def scenario() -> None:
        conn = pop3.Client(security, dialect=HISTORIC)
        async with await connect(kind, conn, port, timeout=60) as session:
            await session.run(pop3.log_in(conn, "ann", PASSWORD))
            got = await session.run_all([pop3.Retr(1), XtndXmit(BIG), pop3.Retr(1)])
            assert got == [BIG, None, BIG]

    with serving(server, security, answers, dialect=HISTORIC) as port:
        play(kind, scenario)


@each
@pytest.mark.parametrize("tls", [False, True])
def test_two_that_write_at_once_do_not_wait_for_each_other(
    kind: str, tls: bool
) -> None:
    """The peer sends 10 MiB before it reads one octet of the 10 MiB that we send."""

    def stubborn(sock: socket.socket) -> None:
        if tls:
            sock = server_tls().wrap_socket(sock, server_side=True)
        with sock:
            sock.sendall(b"+OK ready\r\n")
            for _ in range(2):
                read_line(sock)
                sock.sendall(b"+OK\r\n")
            read_line(sock)
            sock.sendall(b"+OK\r\n+OK " + b"x" * 10 * 2**20)
            tail = b""
            while not tail.endswith(b"\r\n.\r\n"):
                data = sock.recv(65536)
                assert data
                tail = (tail + data)[-5:]
            sock.sendall(b"\r\n")

    async def scenario() -> None:
        security = Security.IMPLICIT if tls else Security.CLEARTEXT
        limits = pop3.Limits(line=2**25)
        conn = pop3.Client(security, dialect=HISTORIC, limits=limits)
        async with await connect(kind, conn, port, timeout=60) as session:
            await session.run_all([pop3.User("ann"), pop3.Pass("x")])
            assert await session.run(XtndXmit(BIG)) is None

    with raw_server(stubborn) as port:
        play(kind, scenario)


@pytest.mark.parametrize("kind", ["asyncio", "trio"])
def test_who_does_not_ask_is_not_fed(kind: str) -> None:
    """A server that sends 64 MiB to a session that handles one event."""
    sent = 0

    def pour(sock: socket.socket) -> None:
        nonlocal sent
        sock.sendall(b"+OK ready\r\n")
        read_line(sock)
        sock.settimeout(1.0)
        sock.sendall(b"+OK\r\n")
        data = b"x" * 65536
        try:
            while sent < 64 * 2**20:
                sent += sock.send(data)
        except (TimeoutError, OSError):
            pass

    async def scenario() -> None:

        conn = pop3.Client(Security.CLEARTEXT)
        async with await connect(kind, conn, port) as session:
            conn.state = conn._ahead = pop3.State.TRANSACTION
            conn.send(pop3.Retr(1))
            assert isinstance(await session.next_event(), Part)
            await (asyncio.sleep if kind == "asyncio" else trio.sleep)(1.5)
            assert conn.buffered < 2**20

    with raw_server(pour) as port:
        play(kind, scenario)
    assert sent < 32 * 2**20  # the rest is in the kernel's buffers


@each
def test_more_than_a_call_may_collect(kind: str) -> None:
    async def scenario() -> None:
        conn = pop3.Client(Security.CLEARTEXT, limits=pop3.Limits(collected=1000))
        async with await connect(kind, conn, port) as session:
            await session.run(pop3.log_in(conn, "ann", PASSWORD))
            with pytest.raises(LimitExceeded, match="collected"):
                await session.run(pop3.Retr(2))
            assert await session.run(pop3.Retr(1)) == MESSAGES[1]

    with serving("asyncio") as port:
        play(kind, scenario)


def test_the_context_of_a_client_that_brings_none() -> None:
    from mailproto._session import client_context

    context = client_context(("pop3",))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert client_tls().check_hostname


def test_no_adapter_names_a_protocol() -> None:
    import re
    from pathlib import Path

    import mailproto

    house = Path(mailproto.__file__).parent
    for name in ("sync", "asyncio", "trio", "_async", "_session", "_connection"):
        text = (house / f"{name}.py").read_text(encoding="utf-8")
        assert not re.search("pop3|smtp|imap", text, re.I), name
