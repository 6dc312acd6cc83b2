"""What a server reads at a glance, and grants at once: nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailproto import Bad, Closed, LocalProtocolError, MailError, Security, smtp
from mailproto._connection import Signal
from mailproto.smtp import EhloData, EnhancedCode, Extension, Greeting, Reply, State

LONG = "x" * 60
LINES = [
    "MAIL FROM:<>", "MAIL FROM:<ann@example.org>", "MAIL FROM:<ann@example.org> SIZE=4",
    "MAIL FROM:<a.b+c@d-e.example> SIZE=70 BODY=8BITMIME", "MAIL FROM:<a@b> BODY=7BIT",
    "MAIL FROM:<ann@example.org> BODY=BINARYMIME", "MAIL FROM:<a@b> SIZE=4 SIZE=5",
    "MAIL FROM:<a@b> SIZE=99999999999999999999", "MAIL FROM:<a@b> BODY=8bitmime",
    f"MAIL FROM:<{LONG}@example.org>", "MAIL FROM:<a@b>  SIZE=4", "mail from:<a@b>",
    "MAIL FROM:<a@b> HTTP/1.1", "MAIL FROM:<a..b@c>", "MAIL FROM:<\u00e9@b> SMTPUTF8",
    "RCPT TO:<bob@example.org>", "RCPT TO:<bob@example.org>", "RCPT TO:<bob@b.example>",
    "RCPT TO:<bob@[192.0.2.1]>", "RCPT TO:<postmaster>", "RCPT TO:<a@-b>", "RCPT TO:<>",
    f"RCPT TO:<{LONG}@{LONG}.example>", "RCPT TO:<bob@example.org> NOTIFY=NEVER",
    "DATA", "DATA", "DATA", "DATA ", "data", "RSET", "NOOP", "EHLO a", "HELO a", "QUIT",
    "BDAT 3", "BDAT 3 LAST", ".", "abc\r\n.", "..a\r\nb\r\n..\r\n.", "a\nb\r\n.",
    "a\0\r\n.", "caf\u00e9\r\n..\r\n.", "a\r\n" * 30 + ".", "hi", "x" * 600,
]  # fmt: skip
OFFERS = [
    ["PIPELINING"],
    ["SIZE 60", "8BITMIME"],
    ["SIZE", "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8", "DSN"],
    ["SIZE", "8BITMIME", "ENHANCEDSTATUSCODES"],
    ["SIZE", "LIMITS MAILMAX=2 RCPTMAX=2"],
]
REPLIES = [
    *(Reply(250, "ok"), Reply(250, "ok", EnhancedCode(2, 1, 0))) * 5,
    *(Reply(354, "go on"),) * 4,
    Reply(550, "no"),
    Reply(452, "no", EnhancedCode(4, 2, 2)),
    Reply(421, "bye"),
]


class Session:
    """A server, and whoever answers for it."""

    def __init__(self, offer: list[str], options: dict[str, Any], traced: bool) -> None:
        self.server = smtp.Server(**options)
        if traced:  # that makes it go the long way
            self.server.trace = lambda side, line: None
        self.offer = EhloData("mx", tuple(map(Extension.read, offer)))
        self.server.send(Greeting("mx"))
        self.seen: list[Any] = []

    def answer(self, event: Any, replies: list[Reply]) -> None:
        """Say the first of *replies* that can be said, or what fits for certain."""
        hint = [event.hint] if isinstance(event, Bad) else []
        for reply in [*replies, *hint, self.offer, Reply(250), Reply(354), Reply(550)]:
            try:
                self.server.send(reply)
            except LocalProtocolError as error:
                self.seen.append(str(error))
            else:
                return

    def hear(self, read: bytes, replies: list[Reply]) -> None:
        server = self.server
        server.receive_data(read)
        try:
            while True:
                event = server.next_event()
                before = server.state, server.buffered, len(server.trailing_data)
                self.seen += [event, type(event), before]
                if isinstance(event, Signal | Closed):
                    break
                self.answer(event, replies)
                self.seen += [server.state, server.data_to_send()]
        except MailError as error:
            self.seen.append(repr(error))


@settings(max_examples=600)
@given(
    st.sampled_from(OFFERS),
    st.sampled_from([smtp.SMTP, smtp.LMTP]),
    st.sampled_from(list(smtp.Newlines)),
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(LINES), max_size=12),
            st.lists(st.sampled_from(REPLIES), max_size=2),
        ),
        max_size=6,
    ),
    st.integers(0, 3),
)
def test_short_ways_lead_where_long_ones_do(
    offer: list[str],
    dialect: smtp.Dialect,
    newlines: smtp.Newlines,
    reads: list[tuple[list[str], list[Reply]]],
    cut: int,
) -> None:
    options = {
        "security": Security.CLEARTEXT,
        "dialect": dialect,
        "newlines": newlines,
        "limits": smtp.Limits(message=80, recipients=3, junk_commands=5),
    }
    hello = "LHLO a" if dialect.lmtp else "EHLO a"
    short, long = (Session(offer, options, traced) for traced in (False, True))
    for session in (short, long):
        rest = b""
        for lines, replies in [([hello], []), *reads]:
            data = rest + "".join(f"{line}\r\n" for line in lines).encode()
            at = len(data) - cut
            session.hear(data[:at] or b"\r\n", replies)
            rest = data[at:]
        session.hear(rest or b"\r\n", [])
    assert short.seen == long.seen
    assert short.server.capabilities == long.server.capabilities


def test_a_transaction_at_a_glance_is_that_of_its_parts() -> None:
    options = {"security": Security.CLEARTEXT}
    session = Session(["PIPELINING", "SIZE"], options, traced=False)
    session.hear(b"EHLO a\r\n", [])
    session.seen.clear()
    session.hear(
        b"MAIL FROM:<ann@example.org> SIZE=4\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
        b"..hi\r\n.\r\nRSET\r\n",
        [Reply(250, "ok"), Reply(354)],
    )
    events = [event for event in session.seen[::5] if not isinstance(event, str)]
    states = [seen for seen in session.seen if isinstance(seen, State)]
    assert events[:1] == [smtp.Mail("ann@example.org", smtp.Size(4))]
    assert State.RCPT in states
    assert session.server.state is State.READY


@pytest.mark.parametrize("kind", [smtp.Mail, smtp.Rcpt])
def test_a_long_path_is_looked_at_closely(kind: type[smtp.Mail | smtp.Rcpt]) -> None:
    def heard(path: str) -> object:
        session = Session([], {"security": Security.CLEARTEXT}, traced=False)
        session.hear(b"EHLO a\r\n", [])
        if kind is smtp.Rcpt:
            session.hear(b"MAIL FROM:<>\r\n", [Reply(250)])
        session.seen.clear()
        verb = "MAIL FROM" if kind is smtp.Mail else "RCPT TO"
        session.hear(f"{verb}:<{path}>\r\n".encode(), [])
        return session.seen[0]

    assert heard(f"{LONG}@{LONG}.example") == kind(f"{LONG}@{LONG}.example")
    assert isinstance(heard("x" * 250 + "@b.example"), Bad)  # RFC 5321 4.5.3.1.3: 256


@pytest.mark.parametrize("limits", [{"command": 100}, {}])
def test_where_verbs_have_other_classes_there_are_no_short_ways(
    limits: dict[str, int],
) -> None:
    class Special(smtp.Mail):
        pass

    dialect = smtp.SMTP
    if not limits:
        dialect = dialect.extended({(State.READY, Special): State.MAIL})
    options = {
        "security": Security.CLEARTEXT,
        "dialect": dialect,
        "limits": smtp.Limits(**limits),
    }
    session = Session([], options, traced=False)
    session.hear(b"EHLO a\r\nMAIL FROM:<a@b>\r\n", [])
    kinds = [type(event) for event in session.seen]
    assert (smtp.Mail if limits else Special) in kinds
