"""A few messages as they come in real life, for the demo."""

from __future__ import annotations

import random
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final


def _plain() -> bytes:
    return (
        b"From: Bob <bob@example.org>\r\nTo: Ann <ann@example.net>\r\n"
        b"Subject: lunch\r\nDate: Tue, 01 Oct 2024 12:00:00 +0000\r\n\r\n"
        b"At one, as always?\r\n"
    )


def _dots() -> bytes:
    return (
        b"From: cron@example.org\r\nSubject: dots at the start of lines\r\n\r\n"
        b".\r\n..\r\n...\r\n.profile was changed\r\n.\r\nand that was not the end\r\n"
    )


def _eight_bit() -> bytes:
    return (
        "From: Zoë <zoe@example.org>\r\nSubject: Grüße aus 東京\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
        "\r\nНаконец-то! Ça va être génial, 本当に。\r\n"
    ).encode()


def _multipart() -> bytes:
    message = EmailMessage()
    message["From"] = "Carol <carol@example.org>"
    message["To"] = "Ann <ann@example.net>"
    message["Subject"] = "Zwölf Boxkämpfer"
    message.set_content("The text, with a line\n.that begins with a dot.\n")
    message.add_alternative("<p>The text, <b>bold</b></p>\n", subtype="html")
    message.add_attachment("a,b\n1,2\n", filename="table.csv")
    message.set_boundary("=-=demo=-=")
    return message.as_bytes(policy=SMTP)


def _large() -> bytes:
    message = EmailMessage()
    message["From"] = "Dave <dave@example.org>"
    message["Subject"] = "the pictures"
    message.set_content("As promised.\n")
    data = random.Random(1939).randbytes(1_500_000)  # 2 MB in base64
    message.add_attachment(
        data, maintype="application", subtype="octet-stream", filename="pictures.bin"
    )
    message.set_boundary("=-=demo=-=")
    return message.as_bytes(policy=SMTP)


LETTERS: Final = {
    "plain": _plain(),
    "dots at the start of lines": _dots(),
    "8-bit, in three scripts": _eight_bit(),
    "multipart": _multipart(),
    "only a header": b"From: eve@example.org\r\nSubject: nothing to say\r\n\r\n",
    "2 MB attachment": _large(),
}
