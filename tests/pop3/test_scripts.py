"""Log in and fetch: scripts, driven by hand over a server that is a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from mailproto import (
    Chunk,
    CommandFailed,
    Hand,
    LocalProtocolError,
    Relay,
    Security,
    pop3,
    sasl,
)
from mailproto.pop3 import Capabilities, Capability, Reply
from mailproto.testing import events


def capabilities(*lines: str) -> Capabilities:
    return Capabilities(Capability.read(line.encode()) for line in lines)


def client(
    security: Security, *caps: str, greeting: bytes = b"+OK\r\n", tls: bool = False
) -> pop3.Client:
    conn = pop3.Client(security)
    if security is Security.IMPLICIT:
        conn.tls_started()
    conn.receive_data(greeting)
    events(conn)
    conn.capabilities = capabilities(*caps) if caps else None
    conn.tls = conn.tls or tls
    return conn


Answers = Callable[[Any], Any]


def drive(script: Generator[Any, Any, Any], answers: Answers) -> tuple[list[Any], Any]:
    """Run *script*; what it said, and what it returned."""
    said: list[Any] = []
    value: Any = None
    try:
        step = next(script)
        while True:
            said.append(step)
            value = answers(step)
            step = (
                script.throw(value)
                if isinstance(value, Exception)
                else script.send(value)
            )
    except StopIteration as stop:
        return said, stop.value


def granted(command: Any) -> Any:
    return None


def log_in(conn: pop3.Client, **options: Any) -> tuple[list[Any], str]:
    return drive(pop3.log_in(conn, "ann", **options), granted)


def test_the_strongest_mechanism_on_offer_is_taken() -> None:
    conn = client(Security.OPTIONAL, "SASL PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256")
    said, how = log_in(conn, password="secret")
    assert how == "SCRAM-SHA-256"
    assert [command.mechanism for command in said] == ["SCRAM-SHA-256"]


def test_a_password_goes_in_the_clear_only_if_one_says_so() -> None:
    conn = client(Security.OPTIONAL, "SASL PLAIN LOGIN", "USER")
    said, _ = log_in(conn, password="secret")
    with pytest.raises(LocalProtocolError, match="in the clear"):
        conn.send(said[0])
    for conn in (
        client(Security.CLEARTEXT, "SASL PLAIN LOGIN"),
        client(Security.IMPLICIT, "SASL PLAIN LOGIN"),
    ):
        assert log_in(conn, password="secret")[1] == "PLAIN"


def test_where_tls_is_demanded_stls_comes_first() -> None:
    conn = client(Security.STARTTLS, "STLS")

    def answers(command: Any) -> None:
        if command == pop3.Stls():
            conn.tls, conn.capabilities = True, None
        if command == pop3.Capa():
            conn.capabilities = capabilities("SASL PLAIN")

    said, how = drive(pop3.log_in(conn, "ann", "secret"), answers)
    assert said[:2] == [pop3.Stls(), pop3.Capa()]
    assert how == "PLAIN"


def test_a_refused_stls_is_the_end() -> None:
    conn = client(Security.STARTTLS, "STLS", "SASL PLAIN")
    script = pop3.log_in(conn, "ann", "secret")
    assert next(script) == pop3.Stls()
    with pytest.raises(CommandFailed):
        script.throw(CommandFailed(pop3.Stls(), Reply(False)))


def test_a_refused_password_is_not_tried_again_in_a_weaker_way() -> None:
    conn = client(Security.IMPLICIT, "SASL PLAIN SCRAM-SHA-256", "USER")
    script = pop3.log_in(conn, "ann", "secret")
    auth = next(script)
    with pytest.raises(CommandFailed):
        script.throw(CommandFailed(auth, Reply(False, "", "AUTH")))


def test_a_server_without_capa_has_user_and_pass() -> None:
    conn = client(Security.IMPLICIT)

    def answers(command: Any) -> Any:
        refused = CommandFailed(command, Reply(False))
        return refused if command == pop3.Capa() else None

    said, how = drive(pop3.log_in(conn, "ann", "secret"), answers)
    assert said == [pop3.Capa(), pop3.User("ann"), pop3.Pass("secret")]
    assert how == "USER"


def test_apop_is_taken_if_one_says_so_and_there_is_a_stamp() -> None:
    stamped = b"+OK <1896.697170952@dbc.mtview.ca.us>\r\n"
    for greeting, apop, how in (
        (stamped, True, "APOP"),
        (stamped, False, "USER"),
        (b"+OK <1896>\r\n", True, "USER"),
    ):
        conn = client(Security.IMPLICIT, "TOP", greeting=greeting)
        assert log_in(conn, password="tanstaaf", apop=apop)[1] == how


def test_tokens_and_mechanisms_of_ones_own() -> None:
    conn = client(Security.IMPLICIT, "SASL PLAIN OAUTHBEARER XOAUTH2 EXTERNAL")
    assert log_in(conn, token="t")[1] in ("OAUTHBEARER", "XOAUTH2")
    assert log_in(conn, mechanisms=[sasl.External()])[1] == "EXTERNAL"
    with pytest.raises(LocalProtocolError, match="OAUTHBEARER XOAUTH2 EXTERNAL"):
        log_in(conn)


def test_kpop_sends_no_password() -> None:
    said, how = drive(pop3.log_in_kpop("ann"), granted)
    assert said == [pop3.User("ann"), pop3.Pass("krb_ticket")]
    assert how == "KPOP"


# -- fetch_new ---------------------------------------------------------------------


class Maildrop:
    """Answers what fetch_new asks."""

    def __init__(self, uids: dict[int, str], *, uidl: bool = True) -> None:
        self.uids = uids
        self.uidl = uidl
        self.said: list[Any] = []

    def __call__(self, command: Any) -> Any:
        self.said.append(command)
        match command:
            case pop3.List():
                return [pop3.Listing(number, 100) for number in self.uids]
            case pop3.Uidl():
                if not self.uidl:
                    return CommandFailed(command, Reply(False))
                return [pop3.UniqueId(number, uid) for number, uid in self.uids.items()]
            case pop3.Top(number=number):
                return b"Subject: %d\r\n\r\n" % number
        return None

    def fetch(
        self, *seen: str, delete: bool = False, confirm: Callable[[int], bool] = bool
    ) -> list[Any]:
        handed = []
        flow = pop3.fetch_new(seen, delete=delete)
        value: Any = None
        try:
            while True:
                if isinstance(value, Exception):
                    step = flow.throw(value)
                else:
                    step = flow.send(value)
                match step:
                    case Hand(value=event):
                        handed.append(event)
                        if isinstance(event, pop3.Arrived) and confirm(event.number):
                            event.confirm()
                        value = None
                    case Relay(command=command):
                        value = self(command)
                    case command:
                        value = self(command)
        except StopIteration:
            return handed


def test_what_was_seen_is_left_alone() -> None:
    drop = Maildrop({1: "a", 2: "b", 4: "c"})
    handed = drop.fetch("b")
    assert [(event.number, event.uid) for event in handed] == [
        (1, "a"), (1, "a"), (4, "c"), (4, "c"),
    ]  # fmt: skip
    assert handed[0] == pop3.Incoming(1, "a", 100)
    assert drop.said == [pop3.List(), pop3.Uidl(), pop3.Retr(1), pop3.Retr(4)]


def test_only_what_is_stored_is_deleted() -> None:
    drop = Maildrop({1: "a", 2: "b", 3: "c"})
    drop.fetch("a", delete=True, confirm=lambda number: number == 3)
    assert [command for command in drop.said if isinstance(command, pop3.Dele)] == [
        pop3.Dele(1),  # stored by an earlier session, which a crash kept from QUIT
        pop3.Dele(3),
    ]


def test_two_messages_with_one_name_are_both_fetched() -> None:
    """RFC 1939 7: two identical copies may have the same unique-id."""
    assert len(Maildrop({1: "a", 2: "a"}).fetch()) == 4


def test_without_uidl_the_header_is_the_name() -> None:
    drop = Maildrop({1: "", 2: ""}, uidl=False)
    first = [event.uid for event in drop.fetch() if isinstance(event, pop3.Incoming)]
    assert len(set(first)) == 2
    assert drop.fetch(*first) == []


def test_chunks_come_between() -> None:
    """The session hands over the parts of what is relayed."""
    from mailproto._session import Handed, SessionCore

    conn = client(Security.CLEARTEXT, "TOP")
    conn.state = conn._ahead = pop3.State.TRANSACTION
    core = SessionCore(conn)
    flow = core._flow(pop3.fetch_new())
    conn.receive_data(b"")
    handed: list[Any] = []
    wire = iter(
        [b"+OK\r\n1 7\r\n.\r\n", b"+OK\r\n1 a\r\n.\r\n", b"+OK\r\nhello\r\n.\r\n"]
    )
    conn._in.eof = False
    step = next(flow)
    while True:
        try:
            if isinstance(step, Handed):
                handed.append(step.value)
                step = next(flow)
            else:
                event: Any = conn.next_event()
                if event.__class__.__name__ == "Signal":
                    conn.receive_data(next(wire))
                    continue
                step = flow.send(event)
        except StopIteration:
            break
    assert handed == [
        pop3.Incoming(1, "a", 7),
        Chunk(b"hello\r\n"),
        pop3.Arrived(1, "a"),
    ]
