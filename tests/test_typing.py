"""What a type checker knows of the results; mypy checks this, and nothing runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

import mailproto.asyncio
import mailproto.sync
import mailproto.trio
from mailproto import NEED_DATA, PAUSED, START_TLS, pop3, sasl

if TYPE_CHECKING:

    def blocking(session: mailproto.sync.Session[pop3.Client]) -> None:
        assert_type(session.conn, pop3.Client)
        assert_type(session.run(pop3.Stat()), pop3.StatData)
        assert_type(session.run(pop3.List()), list[pop3.Listing])
        assert_type(session.run(pop3.Uidl(1)), list[pop3.UniqueId])
        assert_type(session.run(pop3.Retr(1)), bytes)
        assert_type(session.run(pop3.Capa()), pop3.Capabilities)
        assert_type(session.run(pop3.log_in(session.conn, "ann", "x")), str)
        assert_type(session.run_all([pop3.Retr(1), pop3.Retr(2)]), list[bytes])

    async def awaiting(session: mailproto.asyncio.Session[pop3.Client]) -> None:
        assert_type(await session.run(pop3.Stat()), pop3.StatData)
        assert_type(await session.run_all([pop3.Retr(1)]), list[bytes])

    async def in_trio(session: mailproto.trio.Session[pop3.Client]) -> None:
        assert_type(await session.run(pop3.Auth.using(sasl.Plain("a", "b"))), None)

    def signals(conn: pop3.Client) -> None:
        event = conn.next_event()
        if event is NEED_DATA or event is START_TLS or event is PAUSED:
            return
        match event:
            case pop3.Greeting():
                assert_type(event, pop3.Greeting)

    def a_server_runs_no_commands(
        session: mailproto.sync.Session[pop3.Server],
    ) -> None:
        session.run(pop3.Stat())  # type: ignore[misc]


def test_the_checker_has_something_to_check() -> None:
    assert __doc__
