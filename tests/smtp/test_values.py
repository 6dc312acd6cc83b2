"""What is written is read again, for every value of every class."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import smtp
from mailproto.smtp.grammar import (
    Mailbox,
    read_path,
    read_unitext,
    read_xtext,
    write_unitext,
    write_xtext,
)
from tests.smtp.strategies import (
    COMMANDS,
    PARAMETERS,
    STATUS,
    TURNS,
    instances,
    mailboxes,
    texts,
)

printable = texts.filter(str.isprintable)


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_every_command_is_read_as_it_is_written(kind: Any) -> None:
    @given(instances(kind))
    def check(command: Any) -> None:
        line = command.write()
        assert line.endswith(b"\r\n")
        assert not {0, 10, 13} & set(line[:-2])
        verb, _, argument = line[:-2].partition(b" ")
        assert verb == kind.verb
        assert kind.read(argument) == command
        assert command.masked().startswith(kind.verb)

    check()


@pytest.mark.parametrize("kind", PARAMETERS, ids=lambda kind: kind.__name__)
def test_every_parameter_is_read_as_it_is_written(kind: Any) -> None:
    @given(instances(kind))
    def check(parameter: Any) -> None:
        text = str(parameter)
        assert " " not in text
        if kind is smtp.Other:
            word, mark, value = text.partition("=")
            assert smtp.Other(word, value if mark else None) == parameter
        else:
            assert kind.read(parameter.value()) == parameter

    check()


@pytest.mark.parametrize("kind", STATUS, ids=lambda kind: kind.__name__)
def test_every_reply_is_read_as_it_is_written(kind: Any) -> None:
    @given(instances(kind))
    def check(reply: Any) -> None:
        lines = reply.write().split(b"\r\n")
        assert lines.pop() == b""
        assert kind.read(*lines) == reply

    check()


@given(instances(smtp.EhloData))
def test_an_answer_to_ehlo_is_read_as_it_is_written(data: smtp.EhloData) -> None:
    lines = data.write().split(b"\r\n")
    assert lines.pop() == b""
    assert smtp.EhloData.read(*lines) == data


@given(instances(smtp.Challenge))
def test_a_challenge_is_read_as_it_is_written(challenge: smtp.Challenge) -> None:
    assert smtp.Challenge.read(challenge.write()[:-2]) == challenge


@pytest.mark.parametrize("kind", TURNS, ids=lambda kind: kind.__name__)
def test_every_turn_is_read_as_it_is_written(kind: Any) -> None:
    @given(instances(kind))
    def check(turn: Any) -> None:
        if kind is smtp.Response:
            assert kind.read(turn.write()[:-2]) == turn
            assert turn.masked() == b"****"
        else:
            assert turn.write() == turn.masked() + b"\r\n" == b"*\r\n"

    check()


@given(mailboxes)
def test_a_mailbox_is_read_as_it_is_written(mailbox: Mailbox) -> None:
    assert Mailbox.read(str(mailbox)) == mailbox
    assert read_path(f"<{mailbox}> SIZE=1") == (str(mailbox), "SIZE=1")
    assert read_path(f"<@a.example,@b.example:{mailbox}>") == (str(mailbox), "")


@given(printable)
def test_xtext_and_unitext_hide_nothing(text: str) -> None:
    assert read_xtext(write_xtext(text)) == text
    assert write_xtext(text).isascii()
    assert text == "" or read_unitext(write_unitext(text)) == text
    assert write_unitext(text).isascii()


@given(st.sampled_from([*COMMANDS, *PARAMETERS]), st.data())
def test_secrets_are_not_shown(kind: Any, data: st.DataObject) -> None:
    """What a field hides, neither repr nor a transcript tells."""
    value = data.draw(instances(kind))
    for field in fields(value):
        secret = getattr(value, field.name)
        if not field.repr and secret and len(secret) > 8:
            assert repr(secret) not in repr(value)
            if not isinstance(secret, bytes):
                assert secret.encode() not in value.masked()
