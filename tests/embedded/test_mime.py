"""A message taken apart: every part is where it is."""

from __future__ import annotations

import random
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto.embedded.mime import MAX_DEPTH, MAX_PARTS, Part, take_apart
from tests.messages import MESSAGES, STRUCTURED

MIXED = (
    b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"nobody reads this\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\none\r\n\r\n"
    b"--b  \r\n\r\ntwo, without a header\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
    b"--c\r\n\r\nplain\r\n--c\r\nContent-Type: text/html\r\n\r\n<p>\r\n--c--\r\n"
    b"\r\n--b--\r\nnor this\r\n"
)


def at(data: bytes, *numbers: int) -> Part:
    found = take_apart(data).at(numbers)
    assert found is not None
    return found


def test_parts_by_their_numbers() -> None:
    assert at(MIXED).whole == MIXED
    assert at(MIXED, 1).text == b"one\r\n"
    assert at(MIXED, 1).header == b"Content-Type: text/plain\r\n\r\n"
    assert at(MIXED, 2).text == b"two, without a header"
    assert at(MIXED, 2).header == b"\r\n"
    inner = at(MIXED, 3)
    assert inner.type == ("message", "rfc822")
    assert inner.message is not None
    assert inner.message.fields["Subject"] == "inner"
    assert inner.text == inner.message.whole
    assert at(MIXED, 3, 1).text == b"plain"
    assert at(MIXED, 3, 2).text == b"<p>"
    assert at(MIXED, 3, 2).type == ("text", "html")
    top = take_apart(MIXED)
    for numbers in ((4,), (1, 1), (3, 3), (3, 1, 1)):
        assert top.at(numbers) is None


def test_a_message_of_one_part_is_its_own_first() -> None:
    data = b"Subject: x\r\n\r\nHello.\r\n"
    assert at(data, 1).text == b"Hello.\r\n"
    assert take_apart(data).at((1, 1)) is None
    assert take_apart(data).at((2,)) is None
    wrapped = b"Content-Type: message/rfc822\r\n\r\n" + data
    assert at(wrapped, 1).text == b"Hello.\r\n"


def test_header_fields_by_their_names() -> None:
    data = b"A: 1\r\nB: 2\r\n folded\r\na : 3\r\nnonsense\r\nC: 4\r\n\r\nA: body\r\n"
    top = take_apart(data)
    assert top.named(["a", "D"]) == b"A: 1\r\na : 3\r\n\r\n"
    assert top.named(["b"]) == b"B: 2\r\n folded\r\n\r\n"
    assert top.named(["A", "B"], others=True) == b"C: 4\r\n\r\n"
    assert top.named([]) == b"\r\n"
    assert take_apart(b"A: 1").named(["A"]) == b"A: 1\r\n"


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (b"--b\r\n\r\none\r\n--b--", [b"one"]),
        (b"--b\r\n\r\none\r\n--b\r\n\r\ntwo", [b"one", b"two"]),  # no end
        (b"--b\r\n\r\none\r\n--bb\r\n--b--", [b"one\r\n--bb"]),
        (b"--b\n\none\n--b--\n", [b"one"]),  # from before it was on the wire
        (b"--b--\r\n", []),
        (b"nothing", []),
        (b"--b\r\n--b--\r\n", [b""]),
        (b"--b\r\n\r\n--b--\r\n", [b""]),
        (b"x--b\r\n--b\r\n\r\none\r\n--b--", [b"one"]),
        (b"--b", [b""]),
    ],
)
def test_where_parts_end(data: bytes, parts: list[bytes]) -> None:
    top = take_apart(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + data)
    assert [part.text for part in top.parts] == parts


def test_a_digest_is_of_messages() -> None:
    data = (
        b"Content-Type: multipart/digest; boundary=b\r\n\r\n"
        b"--b\r\n\r\nSubject: one\r\n\r\nHello.\r\n--b\r\n"
        b"Content-Type: text/plain\r\n\r\ntext\r\n--b--"
    )
    assert at(data, 1).type == ("message", "rfc822")
    assert at(data, 1, 1).text == b"Hello."
    assert at(data, 2).type == ("text", "plain")


def test_what_is_too_deep_or_too_much_is_left_together() -> None:
    deep = b"Content-Type: message/rfc822\r\n\r\n" * 5000
    part: Part | None = take_apart(deep)
    depth = 0
    while part is not None:
        part, depth = part.message, depth + 1
    assert depth == MAX_DEPTH + 1
    wide = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 5000
    assert len(take_apart(wide).parts) <= MAX_PARTS


@pytest.mark.parametrize("name", [*MESSAGES, *STRUCTURED])
def test_the_email_package_finds_the_same(name: str) -> None:
    data = {**MESSAGES, **STRUCTURED}[name]
    theirs = message_from_bytes(data, policy=policy.default)
    compare(take_apart(data), theirs)


def compare(ours: Part, theirs: EmailMessage) -> None:
    assert "/".join(ours.type) == theirs.get_content_type()
    if ours.type == ("message", "delivery-status"):
        return  # its fields are parts to the email package
    if theirs.is_multipart() and ours.message is None:
        assert len(ours.parts) == len(list(theirs.iter_parts()))
        for part, their in zip(ours.parts, theirs.iter_parts(), strict=True):
            assert isinstance(their, EmailMessage)
            compare(part, their)
    elif ours.message is None and ours.data.isascii():
        text = theirs.get_payload()
        assert isinstance(text, str)
        assert ours.text.decode().splitlines() == text.splitlines()


@given(st.binary(max_size=200), st.integers(0, 999))
def test_any_octets_can_be_taken_apart(noise: bytes, seed: int) -> None:
    rng = random.Random(seed)
    words = [b"--b", b"\r\n", b"--b--", b"\n", b" ", b"x", b"--c\r\n\r\n", noise]
    words.append(b"Content-Type: multipart/mixed; boundary=c\r\n\r\n")
    data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    data += b"".join(rng.choices(words, k=20))
    odd = b"Content-Type: multipart/mixed; boundary=" + noise
    waiting = [take_apart(data), take_apart(noise), take_apart(odd)]
    for part in waiting:
        assert part.start <= part.body <= part.end
        assert part.header + part.text == part.whole
        for below in part.parts:
            assert part.body <= below.start <= below.end <= part.end
        waiting += part.parts
