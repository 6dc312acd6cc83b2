"""SMTP: our client and our server against others, on the same bytes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from typing import Any

from mailproto import Chunk, End, Security, smtp
from mailproto._connection import NEED_DATA

from .corpus import READ_SIZE, attachment, message, reads, stuffed
from .harness import Contestant, Row
from .peers import aiosmtpd, aiosmtplib, smtplib, smtpproto, twisted

HELLO = b"250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE\r\n250 8BITMIME\r\n"
OK = smtp.Reply(250, "OK", smtp.EnhancedCode(2, 0, 0))
GO_ON = smtp.Reply(354, "go on")
OFFER = smtp.EhloData(
    "mx.example.org",
    tuple(map(smtp.Extension, ("PIPELINING", "SIZE", "8BITMIME"))),
)
SAID: dict[type, Any] = {
    smtp.Ehlo: OFFER,
    smtp.Mail: OK,
    smtp.Rcpt: OK,
    smtp.Data: GO_ON,
    End: OK,
}
Asked = smtp.Mail | smtp.Rcpt | smtp.Rset
Message = tuple[str, list[str], bytes]


# -- the client ------------------------------------------------------------------


def client(in_flight: int = 1000, **options: Any) -> smtp.Client:
    limits = smtp.Limits(in_flight=in_flight)
    conn = smtp.Client(Security.CLEARTEXT, limits=limits, **options)
    conn.receive_data(b"220 mx.example.org\r\n")
    conn.next_event()
    conn.send(smtp.Ehlo("bench.example.org"))
    conn.data_to_send()
    conn.receive_data(HELLO)
    conn.next_event()
    return conn


NO_SUCH_USER = """\
550-5.1.1 The email account that you tried to reach does not exist. Please try
550-5.1.1 double-checking the recipient's email address for typos or
550 5.1.1 unnecessary spaces. {1} - gsmtp"""

# What four servers say, and how often a relay meets them: our guess at their shares.
# Google says something else in every transaction, and whoever names the address that
# is refused in every such reply; all else is said over and over.
EXIM = ("250 OK", "250 Accepted", "250 Reset OK", "550 Unrouteable address")
POSTFIX = (
    "250 2.1.0 Ok",
    "250 2.1.5 Ok",
    "250 2.0.0 Ok",
    "550 5.1.1 <{0}>: Recipient address rejected: User unknown",
)
GOOGLE = (
    "250 2.1.0 OK {1} - gsmtp",
    "250 2.1.5 OK {1} - gsmtp",
    "250 2.1.5 Flushed {1} - gsmtp",
    NO_SUCH_USER,
)
EXCHANGE = (
    "250 2.1.0 Sender OK",
    "250 2.1.5 Recipient OK",
    "250 2.0.0 Resetting",
    "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {0} not found",
)
SERVERS = (EXIM,) * 3 + (POSTFIX,) * 3 + (GOOGLE,) * 2 + (EXCHANGE,) * 2


def conversation(count: int) -> tuple[list[Asked], list[str]]:
    """Transactions of one to nine recipients, one in ten refused, and the replies."""
    rng = random.Random(7)
    asked: list[Asked] = []
    said: list[str] = []
    for _ in range(count):
        mail, rcpt, rset, refused = rng.choice(SERVERS)
        token = f"{rng.randbytes(12).hex()}-{rng.randrange(10**15)}si"
        asked.append(smtp.Mail(f"list{rng.randrange(9)}@lists.example.org"))
        said.append(mail.format("list@lists.example.org", token))
        for _ in range(rng.randint(1, 9)):
            address = f"user{rng.randrange(10**6)}@example.org"
            asked.append(smtp.Rcpt(address))
            words = refused if rng.random() < 0.1 else rcpt
            said.append(words.format(address, token))
        asked.append(smtp.Rset())
        said.append(rset.format("", token))
    return asked, [text.replace("\n", "\r\n") + "\r\n" for text in said]


def waiting(asked: list[Asked]) -> tuple[smtp.Client, list[Any]]:
    """A client that has said all that, and is to read what answers it, and its calls.

    Who sends something keeps the call, to know what comes of it.
    """
    conn = client(len(asked))
    calls: list[Any] = [conn.send(command) for command in asked]
    conn.data_to_send()
    return conn, calls


def answers(conn: Any, calls: list[Any], wire: Iterable[bytes]) -> list[Any]:
    got = []
    for data in wire:
        conn.receive_data(data)
        while (event := conn.next_event()) is not NEED_DATA:
            got.append(event.answer)
    return got


def as_said(lines: list[str]) -> tuple[int, str]:
    return int(lines[0][:3]), "\n".join(line[4:] for line in lines)


def as_written(reply: smtp.Reply) -> tuple[int, str]:
    return as_said(reply.write().decode().splitlines())


def replies_row(scale: float) -> Row:
    asked, said = conversation(max(50, int(2000 * scale)))
    whole = "".join(said).encode()
    wire = reads(whole)
    truth = [as_said(text.splitlines()) for text in said]
    row = Row("smtp.replies", "reply", len(said), truth, [
        Contestant("mailproto", "typed", lambda conn, calls: answers(conn, calls, wire),
                   lambda got: list(map(as_written, got)), lambda: waiting(asked)),
        Contestant("smtplib getreply", "pairs",
                   lambda: smtplib.replies(whole, len(said)),
                   lambda got: [(code, text.decode()) for code, text in got]),
    ], {"smtplib getreply": 1.0, "aiosmtplib": 1.5, "smtpproto": 2.2})  # fmt: skip
    if aiosmtplib.module:
        row.contestants.append(Contestant(
            "aiosmtplib", "typed", lambda: aiosmtplib.replies(wire),
            lambda got: [(reply.code, reply.message) for reply in got]))  # fmt: skip
    if smtpproto.module:
        verbs = [command.verb.decode() for command in asked]
        single = list(zip(verbs, map(str.encode, said), strict=True))
        row.contestants.append(Contestant(
            "smtpproto", "typed", lambda: smtpproto.replies(single),
            lambda got: [(reply.code, reply.message) for reply in got]))  # fmt: skip
    return row


def sending(count: int, **options: Any) -> tuple[list[smtp.Client]]:
    """Clients that were told 354, and have not sent their message."""
    conns = []
    for _ in range(count):
        conn = client(**options)
        conn.send(smtp.Mail("ann@example.org"))
        conn.send(smtp.Rcpt("bob@example.org"))
        conn.send(smtp.Data())
        conn.data_to_send()
        conn.receive_data(b"250 ok\r\n250 ok\r\n354 go ahead\r\n")
        for _ in range(3):
            conn.next_event()
        conns.append(conn)
    return (conns,)


def stuff(conns: list[smtp.Client], bodies: list[bytes]) -> list[list[bytes]]:
    sent = []
    for conn, body in zip(conns, bodies, strict=True):
        conn.send(Chunk(body))
        conn.send(End())
        sent.append(conn.data_to_send())
    return sent


def stuff_row(scale: float) -> Row:
    count = max(20, int(400 * scale))
    bodies = [message(seed, 20_000, dots=0.01) for seed in range(count)]
    row = Row("smtp.stuff", "20 KB message", count, list(map(stuffed, bodies)), [
        Contestant("mailproto, dots only", "bytes", lambda conns: stuff(conns, bodies),
                   lambda got: list(map(b"".join, got)),
                   lambda: sending(count, newlines=smtp.Newlines.KEEP)),
        Contestant("mailproto, line ends too", "bytes",
                   lambda conns: stuff(conns, bodies),
                   lambda got: list(map(b"".join, got)), lambda: sending(count)),
        Contestant("smtplib", "bytes", lambda peers: smtplib.stuff(peers, bodies),
                   list, lambda: smtplib.ready(count)),
    ], {"smtpproto": 1.8, "smtplib": 5, "aiosmtplib": 12})  # fmt: skip
    if smtpproto.module:
        row.contestants.append(Contestant(
            "smtpproto", "bytes", smtpproto.stuff,
            list, lambda: smtpproto.ready(bodies)))  # fmt: skip
    if aiosmtplib.module:
        row.contestants.append(Contestant(
            "aiosmtplib", "bytes", lambda pairs: aiosmtplib.stuff(pairs, bodies),
            list, lambda: aiosmtplib.ready(count)))  # fmt: skip
    return row


# -- the server ------------------------------------------------------------------


def server(most: int) -> smtp.Server:
    conn = smtp.Server(Security.CLEARTEXT, limits=smtp.Limits(message=most))
    conn.send(smtp.Greeting("mx.example.org"))
    return conn


def serve(conn: Any, wire: Iterable[bytes], *, keep: bool = True) -> list[Any]:
    """The messages that came; of those that are not to be kept, the sizes."""
    got: list[Any] = []
    sender, recipients, text, size = "", [""], [b""], 0
    for data in wire:
        conn.receive_data(data)
        while (event := conn.next_event()) is not NEED_DATA:
            kind = type(event)
            if kind is Chunk:
                size += len(event.data)
                if keep:
                    text.append(event.data)
                continue
            if kind is smtp.Rcpt:
                recipients.append(event.recipient)
            elif kind is smtp.Mail:
                sender, recipients, text, size = event.sender, [], [], 0
            elif kind is End:
                got.append((sender, recipients, b"".join(text)) if keep else size)
            conn.send(SAID[kind])
        conn.data_to_send()
    return got


def transaction(number: int, body: bytes) -> tuple[Message, bytes]:
    """One message to one recipient, and what a client that pipelines sends."""
    sender, recipient = f"ann{number}@example.org", f"bob{number}@mx.example.org"
    lines = (
        f"MAIL FROM:<{sender}> SIZE={len(body)}",
        f"RCPT TO:<{recipient}>",
        "DATA\r\n",
    )
    return (sender, [recipient], body), "\r\n".join(lines).encode() + stuffed(body)


def server_row(scale: float) -> Row:
    count = max(20, int(1000 * scale))
    bodies = [message(seed, 4000, dots=0.01) for seed in range(count)]
    pairs = list(itertools.starmap(transaction, enumerate(bodies)))
    truth = [expected for expected, _ in pairs]
    wire = reads(b"EHLO bench.example.org\r\n" + b"".join(said for _, said in pairs))
    row = Row("smtp.server", "transaction, 4 KB", len(bodies), truth, [
        Contestant("mailproto", "typed", lambda conn: serve(conn, wire), list,
                   lambda: (server(100_000),)),
    ], {"aiosmtpd": 28, "twisted": 8})  # fmt: skip
    if aiosmtpd.module:
        row.contestants.append(Contestant(
            "aiosmtpd", "bytes", lambda: aiosmtpd.serve(wire), list))  # fmt: skip
    if twisted.module:
        row.contestants.append(Contestant(
            "twisted", "lines", lambda: twisted.serve(wire), lambda got: [
                (*expected[:2], b"\r\n".join((*lines, b"")))
                for expected, lines in zip(truth, got, strict=True)
            ]))  # fmt: skip
    return row


def data_row(scale: float) -> Row:
    lines = 65536
    body = attachment(1, lines) * max(1, round(20 * scale))
    envelope, said = transaction(1, body)
    wire = reads(b"EHLO bench.example.org\r\n" + said)
    most = len(body)
    row = Row("smtp.data", f"{len(body) / 1e6:.0f} MB message", 1, most, [
        Contestant("mailproto, streamed", "typed",
                   lambda conn: serve(conn, wire, keep=False),
                   lambda got: got[0], lambda: (server(most),)),
        Contestant("mailproto, collected", "bytes",
                   lambda conn: serve(conn, wire),
                   lambda got: len(got[0][2]) if got == [envelope] else 0,
                   lambda: (server(most),)),
    ], {"aiosmtpd": 4.5}, rounds=3)  # fmt: skip
    if aiosmtpd.module:
        row.contestants.append(Contestant(
            "aiosmtpd", "bytes", lambda: aiosmtpd.serve(wire),
            lambda got: len(got[0][2]) if got == [envelope] else 0))  # fmt: skip
    return row


# -- all of it -------------------------------------------------------------------


def rows(scale: float) -> list[Row]:
    return [make(scale) for make in (replies_row, stuff_row, server_row, data_row)]


def growing(chunk: int) -> dict[str, Any]:
    """Work whose time must grow with the bytes, and no faster, in *chunk*s of them."""

    def replies(size: int) -> None:
        asked, said = conversation(size // 300)
        conn, calls = waiting(asked)
        answers(conn, calls, reads("".join(said).encode(), chunk))

    def transactions(size: int) -> None:
        body = message(1, 4000)
        said = (transaction(n, body)[1] for n in range(size // 4000))
        serve(
            server(5000), reads(b"EHLO bench.example.org\r\n" + b"".join(said), chunk)
        )

    def data(size: int) -> None:
        said = transaction(1, message(1, size))[1]
        serve(server(2 * size), reads(b"EHLO bench.example.org\r\n" + said, chunk))

    def sent(size: int) -> None:
        ((conn,),) = sending(1)
        for piece in reads(message(1, size), chunk):
            conn.send(Chunk(piece))
        conn.send(End())

    return {
        "smtp.replies": replies,
        "smtp.server": transactions,
        "smtp.data": data,
        "smtp.stuff": sent,
    }


def streaming() -> dict[str, Any]:
    """Work that must not keep what goes by, whatever its size."""
    piece = message(1, READ_SIZE)
    coming = stuffed(piece).removesuffix(b".\r\n")

    def data(size: int) -> None:
        said = b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
        wire = itertools.repeat(coming, size // len(coming))
        serve(server(size), itertools.chain([said], wire, [b".\r\n"]), keep=False)

    def sent(size: int) -> None:
        ((conn,),) = sending(1)
        for _ in range(size // len(piece)):
            conn.send(Chunk(piece))
            conn.data_to_send()
        conn.send(End())

    return {"smtp.data": data, "smtp.stuff": sent}
