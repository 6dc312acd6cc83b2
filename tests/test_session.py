"""What sessions do besides waiting."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from mailproto import (
    Deviation,
    LimitExceeded,
    RemoteProtocolError,
    Security,
    _session,
    pop3,
    smtp,
    sync,
)
from mailproto._async import AsyncSession
from mailproto.pop3 import Quirk, State


@dataclass(frozen=True, slots=True)
class Watch(pop3.Pop3Command[list[Any]]):
    """A NOOP that claims the deviations that come meanwhile."""

    verb = b"NOOP"

    def claims(self, event: Any) -> bool:
        return isinstance(event, Deviation)

    def result(self, answer: Any, parts: list[Any]) -> list[Any]:
        return parts


DIALECT = pop3.STANDARD.extended({(State.AUTHORIZATION, Watch): State.AUTHORIZATION})


@contextmanager
def talking(*answers: bytes) -> Iterator[sync.Session[pop3.Client]]:
    """A session whose server has sent these already, each to one command."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        conn = pop3.Client(Security.CLEARTEXT, dialect=DIALECT)
        theirs.sendall(b"+OK\r\n")
        with sync.Session(conn, ours, timeout=10) as session:
            session.greet()
            real = conn.data_to_send

            def data_to_send() -> list[bytes]:
                out = real()
                if out and queue:
                    theirs.sendall(queue.pop(0))
                return out

            queue = list(answers)
            conn.data_to_send = data_to_send  # type: ignore[method-assign]
            yield session


ODD = b"+okfine\r\n"
QUIRKS = [Quirk.STATUS_CASE, Quirk.STATUS_GLUED]


def test_a_command_may_claim_events_that_name_no_call() -> None:
    with talking(ODD, ODD) as session:
        assert [event.quirk for event in session.run(Watch())] == QUIRKS
        assert [event.quirk for event in session.stream(Watch())] == QUIRKS
        assert not session.unclaimed


def test_what_nobody_claims_is_kept_amid_a_stream() -> None:
    with talking(b"+ok\r\nUIDL\r\n.\r\n") as session:
        assert list(session.stream(pop3.Capa())) == [pop3.Capability("UIDL")]
        assert session.next_event() == Deviation(Quirk.STATUS_CASE, b"+ok")


def test_what_nobody_fetches_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_session, "UNCLAIMED", 1)
    with talking(ODD) as session, pytest.raises(LimitExceeded, match="nobody fetches"):
        session.run(pop3.Capa())


def test_of_a_group_that_was_given_up_nothing_is_left_over() -> None:
    conn = smtp.Client(Security.CLEARTEXT)
    core = _session.SessionCore(conn)

    def told(talk: _session.Talk[Any], data: bytes) -> Any:
        """The result of *talk*, once the server has said *data*."""
        next(talk)
        conn.data_to_send()
        conn.receive_data(data)
        try:
            while True:
                talk.send(conn.next_event())
        except StopIteration as stop:
            return stop.value

    conn.receive_data(b"220 mx\r\n")
    assert conn.next_event() == smtp.Greeting("mx")
    told(core._run(smtp.Ehlo("a.example")), b"250-mx\r\n250 PIPELINING\r\n")
    group = core._run_all([smtp.Rset(), smtp.Rset(), smtp.Rset()])
    next(group)
    group.close()
    noop = b"250 1\r\n250 2\r\n250 3\r\n250 4\r\n"
    assert told(core._run(smtp.Noop()), noop) == smtp.Reply(250, "4")
    assert not core.unclaimed


def test_a_context_without_application_protocols() -> None:
    assert _session.client_context(()).check_hostname


def test_a_peer_that_erred_is_told_where_there_is_something_to_say(
    caplog: pytest.LogCaptureFixture,
) -> None:
    conn = pop3.Server(Security.CLEARTEXT)
    log = logging.getLogger("test")
    _session.last_word(conn, RemoteProtocolError("wrong"), log)
    assert conn.data_to_send() == []
    _session.last_word(conn, ConnectionResetError(), log)
    assert not caplog.records


def test_a_server_that_was_given_no_context_says_so() -> None:
    ours, theirs = socket.socketpair()
    refused = pytest.raises(ValueError, match="SSLContext")
    session = sync.Session(pop3.Server(Security.IMPLICIT), ours)
    with theirs, session, refused:
        session.greet()


class Stuck(AsyncSession[pop3.Client]):
    """A session whose first write is given up."""

    writes = 0

    async def _write(self) -> bool:
        self.writes += 1
        if self.writes == 1:
            raise asyncio.CancelledError
        return False

    async def _read(self) -> None:
        pytest.fail("there is an event to be had")

    async def _read_until(self, deadline: float) -> bool:
        return False

    def _clock(self) -> float:
        return 0.0

    async def _start_tls(self) -> None: ...

    async def close(self) -> None: ...


def test_a_wait_given_up_amid_writing_loses_no_event() -> None:
    async def main() -> None:
        conn = pop3.Client(Security.CLEARTEXT)
        conn.receive_data(b"+OK\r\n")
        session = Stuck(conn)
        with pytest.raises(asyncio.CancelledError):
            await session.next_event()
        assert await session.next_event() == pop3.Greeting("")
        assert session.writes == 2

    asyncio.run(main())


LARGE = bytes(_session.JOINED)


@pytest.mark.parametrize(
    ("pieces", "written"),
    [
        ([], []),
        ([b"a", b"b", b"c"], [b"abc"]),
        ([b"a", LARGE, b"b", b"c"], [b"a", LARGE, b"bc"]),
        ([LARGE, LARGE], [LARGE, LARGE]),
        ([LARGE[:-1], b"a", b"b"], [LARGE[:-1] + b"a", b"b"]),
    ],
)
def test_small_pieces_are_written_together(
    pieces: list[bytes], written: list[bytes]
) -> None:
    found = list(_session.gathered(pieces))
    assert found == written


def test_a_large_piece_is_not_copied() -> None:
    (found,) = _session.gathered([LARGE])
    assert found is LARGE
