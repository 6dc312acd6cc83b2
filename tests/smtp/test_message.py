"""What is sent of a message that a program has in hand."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from email.mime.text import MIMEText

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import LocalProtocolError
from mailproto.smtp import (
    Body,
    BodyType,
    EhloData,
    Extension,
    Mail,
    Newlines,
    Rcpt,
    Size,
    SmtpUtf8,
)
from mailproto.smtp.message import Letter, envelope, header
from tests.messages import MESSAGES

ANN, BOB = "ann@example.org", "bob@example.net"
NOTHING = EhloData("")
EIGHT, UTF8 = "8BITMIME", "SMTPUTF8"


def letter(
    message: bytes | EmailMessage | MIMEText,
    *offers: str,
    sender: str | Mail | None = ANN,
    recipients: list[str | Rcpt] | None = None,
    newlines: Newlines = Newlines.NORMALIZE,
) -> Letter:
    offered = EhloData("host.example", tuple(map(Extension.read, offers)))
    return Letter.of(message, sender, recipients or [BOB], offered, newlines)


def email(**fields: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content("Grüße\n")
    return message


# -- the octets --------------------------------------------------------------------


@pytest.mark.parametrize("name", MESSAGES)
def test_octets_stay_what_they_are(name: str) -> None:
    if b"\0" in (data := MESSAGES[name]):
        pytest.fail("there is none with a NUL in it")
    sent = letter(data, EIGHT, UTF8, newlines=Newlines.KEEP).data
    assert sent == data


def test_the_last_line_is_made_whole() -> None:
    assert letter(b"Subject: x\r\n\r\nHello").data == b"Subject: x\r\n\r\nHello\r\n"
    assert letter(b"").data == b""


@pytest.mark.parametrize("text", [b"A: b\n\nc\n", b"A: b\r\rc\r", b"A: b\n\r\nc"])
def test_line_ends_follow_the_policy_of_the_client(text: bytes) -> None:
    assert letter(text).data == b"A: b\r\n\r\nc\r\n"
    kept = letter(text, newlines=Newlines.KEEP).data
    assert kept == text + b"\r\n"
    with pytest.raises(LocalProtocolError, match="CR or LF"):
        letter(text, newlines=Newlines.REJECT)


def test_a_cr_at_the_very_end() -> None:
    assert letter(b"a\r").data == b"a\r\n"


HIDDEN = (
    b"Bcc: eve@example.com,\r\n mallory@example.com\r\n",
    b"BCC : eve@example.com\n\tand@example.com\n",
    b"Resent-bcc:\r\n eve@example.com\r\n",
)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_who_is_hidden_stays_hidden(hidden: bytes) -> None:
    before, after = b"To: bob@example.net\r\n", b"Subject: x\r\n"
    body = b"\r\nBcc: this is text\r\n"
    for text in (before + hidden + after, hidden + before + after, after + hidden):
        sent = letter(text + body, newlines=Newlines.KEEP).data
        assert sent == text.replace(hidden, b"") + body
    only = letter(hidden.rstrip(), newlines=Newlines.KEEP).data
    assert b"example.com" not in only
    message = email(To=BOB, Bcc="eve@example.com", Resent_Bcc="eve@example.com")
    assert b"eve" not in letter(message, EIGHT).data
    assert message["Bcc"]  # it was not touched


@given(st.binary(max_size=60).map(lambda text: text.replace(b"x", b"\n")))
def test_a_header_ends_at_the_first_blank_line(data: bytes) -> None:
    top = header(data)
    rest = data[len(top) :]
    assert data.startswith(top)
    assert b"\n\n" not in top
    assert b"\n\r\n" not in top
    assert not rest or rest.startswith((b"\n", b"\r\n"))


# -- what the server offers --------------------------------------------------------


def test_its_size_is_told() -> None:
    sent = letter(b"\r\nHello", "SIZE 1000")
    assert sent.mail == Mail(ANN, Size(len(sent.data)))
    assert letter(b"\r\nHello").mail == Mail(ANN)


def test_octets_above_127_need_8bitmime() -> None:
    body = b"Subject: x\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
    assert letter(body, EIGHT).mail == Mail(ANN, Body(BodyType.EIGHTBITMIME))
    with pytest.raises(LocalProtocolError, match="8BITMIME"):
        letter(body)
    with pytest.raises(LocalProtocolError, match="8BITMIME"):
        letter(body, "CHUNKING", "BINARYMIME")


def test_an_email_message_is_encoded_for_what_the_server_takes() -> None:
    message = email(Subject="Grüße")
    eight = letter(message, EIGHT)
    assert eight.mail.get(Body) == Body(BodyType.EIGHTBITMIME)
    assert "Grüße".encode() in eight.data
    seven = letter(message)
    assert seven.data.isascii()
    assert seven.mail == Mail(ANN)
    for each in (seven, eight):
        again = message_from_bytes(each.data, policy=policy.default)
        assert again.get_content().splitlines() == ["Grüße"]
        assert again["Subject"] == "Grüße"


def test_messages_of_the_old_kind_are_written_too() -> None:
    message = MIMEText("Grüße\nFrom here on\n")
    message["Subject"] = "x"
    sent = letter(message)
    assert sent.data.isascii()
    assert b"\r\nSubject: x\r\n" in sent.data
    again = message_from_bytes(sent.data, policy=policy.default)
    assert again.get_content().splitlines() == ["Grüße", "From here on"]


def test_a_nul_needs_binarymime() -> None:
    body = b"\r\na\0b\r\n"
    sent = letter(body, "CHUNKING", "BINARYMIME")
    assert sent.mail == Mail(ANN, Body(BodyType.BINARYMIME))
    with pytest.raises(LocalProtocolError, match="BINARYMIME"):
        letter(body, EIGHT, "CHUNKING")


@pytest.mark.parametrize(
    ("sender", "recipient"),
    [("péter@example.hu", BOB), (ANN, "jörg@example.net"), (ANN, "ann@bücher.example")],
)
def test_addresses_that_are_not_ascii_need_smtputf8(
    sender: str, recipient: str
) -> None:
    text = b"Subject: x\r\n\r\n"
    sent = letter(text, EIGHT, UTF8, sender=sender, recipients=[recipient])
    assert sent.mail == Mail(sender, SmtpUtf8())
    assert sent.recipients == (Rcpt(recipient),)
    with pytest.raises(LocalProtocolError, match="SMTPUTF8"):
        letter(text, EIGHT, sender=sender, recipients=[recipient])


def test_a_header_that_is_not_ascii_needs_smtputf8() -> None:
    raw = "Subject: Grüße\r\n\r\n".encode()
    assert letter(raw, EIGHT, UTF8).mail.smtputf8
    with pytest.raises(LocalProtocolError, match="SMTPUTF8"):
        letter(raw, EIGHT)
    message = email(To="jörg@example.net")
    sent = letter(message, EIGHT, UTF8)
    assert sent.mail.smtputf8
    assert "To: jörg@example.net".encode() in sent.data
    with pytest.raises(LocalProtocolError, match="SMTPUTF8"):
        letter(message, EIGHT)


def test_what_the_caller_says_of_it_stands() -> None:
    mail = Mail("péter@example.hu", Size(7), SmtpUtf8())
    assert letter(b"\r\nx\r\n", "SIZE", UTF8, sender=mail).mail == mail


# -- the envelope ------------------------------------------------------------------


def test_the_header_tells_the_envelope() -> None:
    message = email(
        From="Ann <ann@example.org>, cat@example.org",
        To="Bob <bob@example.net>, friends: eve@example.com, bob@example.net;",
        Cc='"a b"@example.com',
        Bcc="hidden@example.com",
    )
    offered = EhloData("", (Extension(EIGHT),))
    sent = Letter.of(message, None, None, offered, Newlines.NORMALIZE)
    assert sent.mail.sender == ANN
    assert [rcpt.recipient for rcpt in sent.recipients] == [
        BOB,
        "eve@example.com",
        '"a b"@example.com',
        "hidden@example.com",
    ]
    assert b"hidden" not in sent.data
    for sender, recipients in ((None, [BOB]), (ANN, None)):
        mixed = Letter.of(message, sender, recipients, offered, Newlines.NORMALIZE)
        assert mixed.mail.sender == ANN
        assert mixed.recipients[0] == Rcpt(BOB)


def test_sender_goes_before_from() -> None:
    text = (
        b"From: ann@example.org\r\nSender: cat@example.org\r\nTo: bob@example.net\r\n"
    )
    assert envelope(text) == ("cat@example.org", [BOB])


def test_who_resent_it_is_the_sender() -> None:
    text = (
        b"Resent-Date: Tue, 01 Oct 2024 12:00:00 +0000\r\n"
        b"Resent-From: dave@example.org\r\nResent-To: eve@example.com\r\n"
    )
    first = b"From: ann@example.org\r\nTo: bob@example.net\r\n\r\n"
    assert envelope(text + first) == ("dave@example.org", ["eve@example.com"])
    with pytest.raises(ValueError, match="more than once"):
        envelope(text + text + first)


def test_a_header_in_utf8_tells_it_too() -> None:
    text = "From: péter@example.hu\r\nTo: jörg@bücher.example\r\n\r\n".encode()
    assert envelope(text) == ("péter@example.hu", ["jörg@bücher.example"])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"To: bob@example.net\r\n", "neither Sender nor From"),
        (b"From: ann@example.org\r\nTo: bob\r\n", "To holds"),
        (b"From: ann@example.org\r\nTo: <@>, bob@example.net\r\n", "To holds"),
        (b"From: undisclosed:;\r\n", "neither"),
    ],
)
def test_a_header_that_does_not_tell_is_not_guessed_at(text: bytes, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        envelope(text)


def test_each_recipient_is_asked_once() -> None:
    twice: list[str | Rcpt] = [BOB, Rcpt("eve@example.com"), BOB]
    assert len(letter(b"", recipients=twice).recipients) == 2
