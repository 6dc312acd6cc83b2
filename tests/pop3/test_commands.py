from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import pop3, sasl
from tests.pop3.strategies import COMMANDS, TURNS, instances

STAMP = "<1896.697170952@dbc.mtview.ca.us>"


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_what_is_written_is_read(kind: type[pop3.Pop3Command[Any]]) -> None:
    @given(instances(kind))
    def check(command: pop3.Pop3Command[Any]) -> None:
        line = command.write()
        assert line.endswith(b"\r\n")
        assert len(line) <= 255
        verb, _, argument = line[:-2].partition(b" ")
        assert verb == kind.verb
        assert not {b"\r", b"\n", b"\0"} & {bytes([octet]) for octet in argument}
        assert kind.read(argument) == command

    check()


@pytest.mark.parametrize("kind", TURNS, ids=lambda kind: kind.__name__)
def test_turns_are_lines(kind: type[Any]) -> None:
    @given(instances(kind))
    def check(turn: Any) -> None:
        assert turn.write().endswith(b"\r\n")
        if kind is pop3.Response:
            assert pop3.Response.read(turn.write()[:-2]) == turn

    check()


@given(st.sampled_from(COMMANDS), st.binary(max_size=40))
def test_any_argument_is_read_or_refused(
    kind: type[pop3.Pop3Command[Any]], argument: bytes
) -> None:
    try:
        command = kind.read(argument)
    except ValueError:
        return
    assert kind.read(command.argument()) == command


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda text: pop3.User(f"a{text}b"), "name"),
        (lambda text: pop3.Pass(f"a{text}b"), "password"),
        (lambda text: pop3.Apop(f"a{text}b", "0" * 32), "name"),
        (lambda text: pop3.Apop("a", f"{'0' * 31}{text}"), "digest"),
        (lambda text: pop3.Auth(f"PLAIN{text}"), "mechanism"),
        (lambda text: pop3.Lang(f"en{text}"), "language tag"),
    ],
)
@pytest.mark.parametrize("text", ["\r\nDELE 1", "\r", "\n", "\0", "\ud800"])
def test_no_argument_becomes_a_command(make: Any, why: str, text: str) -> None:
    with pytest.raises(ValueError, match=why):
        make(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda: pop3.User(""),
        lambda: pop3.User(" a"),
        lambda: pop3.User("a "),
        lambda: pop3.User("a" * 249),
        lambda: pop3.Pass(""),
        lambda: pop3.Pass("\xe9" * 124 + "a"),
        lambda: pop3.Apop("a", "0" * 31),
        lambda: pop3.Apop("a", "A" * 32),
        lambda: pop3.Apop("a" * 250, "0" * 32),
        lambda: pop3.Auth(""),
        lambda: pop3.Auth("PLAIN", b"x" * 200),
        lambda: pop3.Lang(""),
        lambda: pop3.Lang("en us"),
        lambda: pop3.Retr(0),
        lambda: pop3.Retr(2**63),
        lambda: pop3.List(0),
        lambda: pop3.Uidl(-1),
        lambda: pop3.Top(1, -1),
        lambda: pop3.Top(0, 1),
    ],
)
def test_what_cannot_be_sent_cannot_be_made(make: Any) -> None:
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        (pop3.Stat, b"1"),
        (pop3.Quit, b"now"),
        (pop3.Retr, b""),
        (pop3.Retr, b"+1"),
        (pop3.Retr, b"1_0"),
        (pop3.Retr, b" 1"),
        (pop3.Retr, b"1 2"),
        (pop3.Retr, "٣".encode()),
        (pop3.Retr, b"0"),
        (pop3.Retr, b"99999999999999999999"),
        (pop3.List, b"x"),
        (pop3.Top, b"1"),
        (pop3.Top, b"1 2 3"),
        (pop3.User, b"\xff"),
        (pop3.Pass, b"\xff"),
        (pop3.Auth, b"PLAIN "),
        (pop3.Auth, b"PLAIN =AAA"),
        (pop3.Auth, b"PLAIN AAA"),
        (pop3.Auth, b"\xff"),
    ],
)
def test_bad_arguments_are_refused(kind: Any, argument: bytes) -> None:
    with pytest.raises(ValueError):
        kind.read(argument)


def test_a_password_keeps_its_spaces() -> None:
    assert pop3.Pass.read(b" my secret ").password == " my secret "


def test_apop_is_signed_as_in_the_rfc() -> None:
    """RFC 1939 7: the secret is "tanstaaf"."""
    apop = pop3.Apop.sign("mrose", "tanstaaf", STAMP)
    assert apop == pop3.Apop("mrose", "c4c9334bac560ecc979e58001b3e22fb")
    assert apop.proves("tanstaaf", STAMP)
    assert not apop.proves("tanstaag", STAMP)
    assert not apop.proves("not for SASLprep\x07", STAMP)


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "<>",
        "<@>",
        "<a@>",
        "<noat>",
        "<a@b@c>",
        "<\xff@b>",
        "<a b@c>",
        "x<a@b>",
        "<a@b>x",
        f"<{'a' * 126}@b>",
        "<a\x01@b>",
    ],
)
def test_only_a_msg_id_is_signed(stamp: str) -> None:
    """CVE-2007-1558: whoever signs anything helps to find the password."""
    with pytest.raises(ValueError, match="msg-id"):
        pop3.Apop.sign("mrose", "tanstaaf", stamp)


def test_names_and_passwords_are_prepared_for_apop() -> None:
    """RFC 6856 2.2: SASLprep, here the compatibility form of a Roman numeral."""
    assert pop3.Apop.sign("a\u00adb", "\u2168", STAMP) == pop3.Apop.sign(
        "ab", "IX", STAMP
    )


def test_secrets_are_not_shown() -> None:
    for command in (
        pop3.Pass("s3cret"),
        pop3.Auth("PLAIN", b"\0a\0s3cret"),
        pop3.Auth.using(sasl.Plain("a", "s3cret")),
        pop3.Apop("a", "c4c9334bac560ecc979e58001b3e22fb"),
        pop3.Response(b"s3cret"),
    ):
        shown = repr(command) + command.masked().decode()
        for secret in ("s3cret", "AGEAczNjcmV0", "czNjcmV0", "c4c9334b"):
            assert secret not in shown
    assert pop3.User("ann").masked() == b"USER ann\r\n"
    assert pop3.Cancel().masked() == b"*"


def test_which_commands_reveal_a_secret() -> None:
    assert pop3.User("a").reveals_secret
    assert pop3.Pass("a").reveals_secret
    assert pop3.Auth("plain").reveals_secret
    assert pop3.Auth.using(sasl.Plain("a", "b")).reveals_secret
    assert not pop3.Auth("SCRAM-SHA-256").reveals_secret
    assert not pop3.Apop("a", "0" * 32).reveals_secret
    assert not pop3.Stat().reveals_secret


def test_the_shape_of_an_answer_depends_on_the_argument() -> None:
    single, lines, message = pop3.Shape.SINGLE, pop3.Shape.LINES, pop3.Shape.MESSAGE
    assert [pop3.List().shape, pop3.List(1).shape] == [lines, single]
    assert [pop3.Uidl().shape, pop3.Uidl(1).shape] == [lines, single]
    assert [pop3.Lang().shape, pop3.Lang("en").shape] == [lines, single]
    assert [pop3.Capa().shape, pop3.Stat().shape] == [lines, single]
    assert [pop3.Retr(1).shape, pop3.Top(1, 0).shape] == [message, message]
