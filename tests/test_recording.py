"""What a recording keeps of a session, and what it never does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import Security, pop3
from mailproto._recording import Piece, Recording, transcript_lines, write_line
from mailproto.services import Protocol
from mailproto.testing import Cut, Pair, bytewise, cut_at, read_transcript, whole

SESSIONS = {
    "pop3": """
S: +OK ready <1@example.com>
C: CAPA
S: +OK
S: USER
S: .
C: APOP ann c4c9334bac560ecc979e58001b3e22fb
S: -ERR no
C: pass  secret
S: -ERR no
C: PASSsecret
S: -ERR no
C: AUTH
S: +OK
S: PLAIN
S: .
C: AUTH PLAIN
S: +
C: AGFubgBzZWNyZXQ=
S: -ERR no
C: AUTH CRAM-MD5
S: + PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2U+
C: *
S: -ERR as you like
C: AUTH PLAIN AGFubgBzZWNyZXQ=
S: +OK
C: LIST 1
S: +OK 1 20
C: RETR 1
S: +OK
S: PASS secret
S: ..
S: + that is text
S: .
C: TOP 9 0
S: -ERR there is none
""",
    "smtp": """
S: 220 ready
C: EHLO x
S: 250-localhost
S: 250 AUTH PLAIN
C: auth plain AGFubgBzZWNyZXQ=
S: 535-no
S: 535 no
C: AUTH LOGIN
S: 334 VXNlcm5hbWU6
C: YW5u
S: 334 UGFzc3dvcmQ6
C: c2VjcmV0
S: 235 welcome
C: BDAT 14
C: AUTH PLAIN x
S: 250 OK
C: BDAT 0 LAST
S: 250 OK
C: DATA
S: 354-go
S: 354 on
C: AUTH PLAIN x
C: ..
C: .
S: 250 OK
C: QUIT
""",
    "imap": """
S: * OK hello {5}
C: a1 LOGIN ann {6}
S: + go on
C: secret
S: a1 NO wrong
C: a2 LOGIN {3+}
C: ann {6+}
C: secret
S: a2 NO wrong
C: a3 LOGIN {9999}
S: a3 BAD too long
C: a4 AUTHENTICATE PLAIN
S: +
C: AGFubgBzZWNyZXQ=
S: * OK [ALERT] half a moment
S: a4 NO wrong
C: a5 AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=
S: a5 OK welcome
C: a6 APPEND INBOX {12}
S: + go on
C: a LOGIN b c
C:
S: a6 OK done
C: a7 APPEND INBOX {5}
S: a7 NO full
C: a8 FETCH 1 BODY[]
S: * 1 FETCH (BODY[] {19}
S: a8 OK this is not UID 5)
S: a8 OK done {1}
C: a9 LOGIN
S: a9 BAD what?
""",
}
MASKED = {
    "c4c9334bac560ecc979e58001b3e22fb": "****",
    "pass  secret": "pass ****",
    "C: PASSsecret": "C: PASS ****",
    "S: +\n": "S: + ****\n",
    "+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2U+": "+ ****",
    "AGFubgBzZWNyZXQ=": "****",
    "334 VXNlcm5hbWU6": "334 ****",
    "334 UGFzc3dvcmQ6": "334 ****",
    "C: YW5u": "C: ****",
    "C: c2VjcmV0": "C: ****",
    "a1 LOGIN ann {6}": "a1 LOGIN ****",
    "C: secret": "C: ****",
    "a2 LOGIN {3+}\nC: ann {6+}": "a2 LOGIN ****\nC: ****",
    "a3 LOGIN {9999}": "a3 LOGIN ****",
}

SAID = [
    *(b"+OK\r\n", b"a ", b"LOGIN", b"{3}", b"\r\n", b"AUTH X", b"RETR 1"),
    *(b"354 \r\n", b".\r\n", b"+ x\r\n", b"BDAT 3", b"\r", b"\n", b""),
]


def record(name: str, text: str, cut: Cut, kept: int = 65_536) -> Recording:
    recording = Recording(Protocol(name), kept=kept)
    for step in read_transcript(text):
        for piece in cut(step.data) if step.data else [b""]:
            recording.heard(step.side, piece)
    return recording


def text_of(recording: Recording, *, all_of_it: bool = True) -> str:
    return "\n".join(transcript_lines(recording.pieces, whole=all_of_it)) + "\n"


@pytest.mark.parametrize("cut", [0, *range(2, 60, 7)])
@pytest.mark.parametrize("name", SESSIONS)
def test_all_but_the_secrets_is_kept(name: str, cut: int) -> None:
    expected = SESSIONS[name].lstrip("\n")
    for secret, mask in MASKED.items():
        expected = expected.replace(secret, mask)
    assert (
        text_of(record(name, SESSIONS[name], cut_at(cut) if cut else bytewise))
        == expected
    )


def test_of_a_message_the_beginning_is_shown() -> None:
    letter = "".join(f"S: line {n}\n" for n in range(100))
    text = f"S: +OK\nC: RETR 1\nS: +OK\n{letter}S: .\nC: NOOP\n"
    shown = text_of(record("pop3", text, whole), all_of_it=False).split("\n")
    assert shown[:3] == ["S: +OK", "C: RETR 1", "S: +OK"]
    assert shown[3:11] == [f"S: line {n}" for n in range(8)]
    assert shown[11:] == ["# ... 826 octets more", "S: .", "C: NOOP", ""]
    assert text_of(record("pop3", text, whole)) == text


def test_a_short_message_is_shown_whole() -> None:
    text = "C: DATA\nS: 354 go\nC: a\nC:\nC: b\nC: .\nS: 250 OK\n"
    assert text_of(record("smtp", text, whole), all_of_it=False) == text


def test_one_long_line_of_a_message_is_not_shown() -> None:
    text = f"S: * 1 FETCH (BODY[] {{2000}}\nS: {'x' * 2000})\nS: a OK\n"
    shown = text_of(record("imap", text, whole), all_of_it=False).split("\n")
    assert shown[1:] == ["# ... 2000 octets more", "S: )", "S: a OK", ""]


def test_memory_has_a_bound() -> None:
    """Of bodies, of lines, and of all that there is."""
    recording = record("smtp", "S: 220 a\nC: DATA\nS: 354 go\n", whole, kept=4096)
    for _ in range(100):
        recording.heard("C", b"x" * 100_000)
    recording.heard("C", b"\r\n.\r\n")
    recording.heard("S", b"250 OK\r\n")
    assert "C: .\nS: 250 OK\n" in text_of(recording)
    assert f"# ... {10_000_002 - 1024} octets more" in text_of(recording)
    for n in range(1000):
        recording.heard("C", b"NOOP %d\r\n" % n)
    recording.heard("C", b"X" * 100_000)
    recording.heard("C", b"\r\nQUIT\r\n")
    kept = recording.pieces
    assert sum(len(piece.data) for piece in kept) < 4096 + 8192
    text = text_of(recording)
    assert text.startswith("S: 220 a\n")
    assert "octets were not kept\n" in text
    assert "C: QUIT\n" in text
    assert "XXX" not in text  # a line of 8192 is more than the end may have


def test_commands_without_answers_have_a_bound() -> None:
    recording = Recording(Protocol.POP3)
    for _ in range(3000):
        recording.heard("C", b"NOOP\r\n")
    recording.heard("S", b"+OK\r\n" * 3000)
    assert text_of(recording).endswith("S: +OK\n")


def test_what_breaks_off_is_told() -> None:
    recording = record("pop3", "S: +OK\nC: STLS\nS: +OK\nTLS\n", whole)
    recording.heard("C", b"PASS secr")
    recording.heard("C", b"")
    assert text_of(recording).split("\n")[3:] == [
        "TLS",
        "# C: PASS ****  (it breaks off here)",
        "# C closes the connection",
        "",
    ]
    recording.heard("C", b"")  # by its adapter, who closes what is closed
    assert text_of(recording).count("closes") == 1
    for begun in ("S: * 1 FETCH (BODY[] {20}\nS: hello\n",):
        recording = record("imap", begun, whole)
        recording.heard("S", b"")
        assert "S: hello\n# S closes" in text_of(recording)
    recording = record("pop3", "S: +OK\nC: RETR 1\nS: +OK\n", whole)
    recording.heard("S", b"hello\r\nwor")
    recording.heard("S", b"")
    assert "S: hello\n# S: wor  (it breaks off here)\n# S" in text_of(recording)


def test_a_secret_that_breaks_off_is_not_shown() -> None:
    recording = record("imap", "C: a LOGIN ann {20+}\n", whole)
    recording.heard("C", b"secret")
    recording.heard("C", b"")
    assert text_of(recording) == "C: a LOGIN ****\n# C closes the connection\n"
    assert "secret" not in repr(Piece("C", b"secret"))


@given(st.binary())
def test_any_line_can_be_read_again(data: bytes) -> None:
    line = data.replace(b"\n", b"")
    (step,) = read_transcript(f"C: {write_line(line)}")
    assert step.lines == (line,)


@given(
    st.sampled_from([*Protocol]),
    st.lists(
        st.tuples(
            st.sampled_from("CS"),
            st.sampled_from(SAID),
        )
    ),
)
def test_garbage_is_kept_the_same_however_it_is_cut(
    protocol: Protocol, said: list[tuple[str, bytes]]
) -> None:
    one, other = Recording(protocol), Recording(protocol)
    for side, data in said:
        one.heard(side, data)
        for piece in bytewise(data) if data else [b""]:
            other.heard(side, piece)
    assert text_of(one) == text_of(other)


def test_a_tap_hears_both_sides_and_the_handshake() -> None:
    pair = Pair(pop3.Client(Security.STARTTLS), pop3.Server(Security.STARTTLS))
    heard: dict[str, Recording] = {}
    for conn in (pair.client, pair.server):
        heard[conn.side] = Recording(Protocol.POP3)
        conn.tap = heard[conn.side].heard
    pair.server.send(pop3.Greeting())
    pair.client_events()
    pair.client.send(pop3.Stls())
    pair.server_events()
    pair.server.send(pop3.Reply(True))
    pair.client_events()
    pair.client.receive_data(b"")
    expected = "S: +OK\nC: STLS\nS: +OK\nTLS\n"
    assert text_of(heard["S"]) == expected
    assert text_of(heard["C"]) == expected + "# S closes the connection\n"


@pytest.mark.parametrize(("name", "ok"), [("smtp", "250 OK"), ("pop3", "+OK")])
def test_an_answer_that_was_late_takes_no_mask_away(name: str, ok: str) -> None:
    """It may be mistaken for the end of the log-in; a challenge owes a response."""
    challenge = {"smtp": "334 ", "pop3": "+ "}[name]
    text = f"C: AUTH LOGIN\nS: {ok}\nS: {ok}\nS: {challenge}VXNlcg==\nC: c2VjcmV0\n"
    shown = text_of(record(name, text, whole))
    assert shown.endswith(f"S: {challenge}****\nC: ****\n")
