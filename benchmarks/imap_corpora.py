"""What IMAP servers say, by the megabyte: seeded, with the truth beside it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FIRST = ("Terry", "Marie", "Jörg", "Li", "Aoife", "Sam", "Zoë", "Ivan", "Nuria", "Bo")
LAST = ("Gray", "Curie", "Müller", "Wei", "Byrne", "O'Neil", "Petrov", "Garcia", "Ek")
WORDS = ("meeting", "minutes", "of", "the", "invoice", "re:", "draft", "for", "your")
FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "$Forwarded", "$Junk", "\\Draft")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct")


@dataclass
class Corpus:
    """*lines* are responses, CRLF included; *truth* is what each must come to."""

    lines: list[bytes]
    truth: list[Any]

    @property
    def wire(self) -> bytes:
        return b"".join(self.lines)


def corpus(
    count: int, make: Callable[[random.Random, int], tuple[bytes, Any]]
) -> Corpus:
    rng = random.Random(20260824)
    made = [make(rng, n) for n in range(1, count + 1)]
    return Corpus([line + b"\r\n" for line, _ in made], [truth for _, truth in made])


def encoded(text: str) -> str:
    """As in a header: an encoded word if it must be."""
    if text.isascii():
        return text
    return f"=?utf-8?q?{''.join(f'={b:02X}' for b in text.encode())}?="


def quoted(text: str | None) -> str:
    if text is None:
        return "NIL"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def string(rng: random.Random, text: str | None) -> str:
    """Quoted; once in a while a literal, as some servers do for the odd subject."""
    if text is not None and rng.random() < 0.01:
        return f"{{{len(text)}}}\r\n{text}"
    return quoted(text)


def address(rng: random.Random) -> tuple[str | None, str, str]:
    first, last = rng.choice(FIRST), rng.choice(LAST)
    name = encoded(f"{first} {last}") if rng.random() < 0.85 else None
    if name is not None and rng.random() < 0.05:
        name = f'"{name}" (work)'
    user = f"u{rng.randrange(10_000)}.{rng.randrange(99)}"
    return name, user, rng.choice(("example.com", "mail.example.org", "example.net"))


def addresses(people: list[tuple[str | None, str, str]]) -> str:
    if not people:
        return "NIL"
    inner = "".join(f"({quoted(n)} NIL {quoted(m)} {quoted(h)})" for n, m, h in people)
    return f"({inner})"


def date(rng: random.Random) -> str:
    clock = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
    day = f"{rng.randint(1, 28):2}-{rng.choice(MONTHS)}-{rng.randint(2001, 2026)}"
    return f"{day} {clock} {rng.choice(('+0000', '+0200', '-0700', '+0530'))}"


def flags(rng: random.Random) -> tuple[str, ...]:
    return tuple(flag for flag in FLAGS if rng.random() < 0.3)


def subject(rng: random.Random) -> str:
    words = " ".join(rng.choices(WORDS, k=rng.randint(2, 9)))
    return encoded(words + (" für Zoë" if rng.random() < 0.2 else ""))


def envelope(rng: random.Random, number: int) -> tuple[bytes, Any]:
    uid, size, seen = number * 3 + 7, rng.randrange(500, 900_000), flags(rng)
    title = subject(rng)
    sender = [address(rng)]
    to = [address(rng) for _ in range(rng.choice((1, 1, 1, 2, 3, 6)))]
    cc = [address(rng) for _ in range(rng.choice((0, 0, 0, 1, 4)))]
    reply = f"<{rng.getrandbits(64):x}@example.com>" if rng.random() < 0.4 else None
    when = f"{rng.choice(('Mon', 'Tue'))}, {rng.randint(1, 28)} Jul 2025 02:23:25 -0700"
    message_id = f"<{rng.getrandbits(80):x}@mail.example.com>"
    lists: tuple[Any, ...] = (sender, sender, sender, to, cc, [])
    text = (
        f"* {number} FETCH (UID {uid} FLAGS ({' '.join(seen)}) "
        f'INTERNALDATE "{date(rng)}" RFC822.SIZE {size} ENVELOPE ({quoted(when)} '
        f"{string(rng, title)} {' '.join(map(addresses, lists))} {quoted(reply)} "
        f"{quoted(message_id)}))"
    )
    return text.encode(), (number, uid, size, seen, title, tuple(to), message_id)


def leaf(rng: random.Random) -> str:
    if rng.random() < 0.6:
        kind = rng.choice(("PLAIN", "HTML"))
        return (
            f'("TEXT" "{kind}" ("CHARSET" "utf-8") NIL NIL "QUOTED-PRINTABLE" '
            f"{rng.randrange(90_000)} {rng.randrange(999)} NIL NIL NIL NIL)"
        )
    name = f"file-{rng.randrange(1000)}.pdf"
    return (
        f'("APPLICATION" "PDF" ("NAME" "{name}") "<{rng.getrandbits(40):x}@x>" NIL '
        f'"BASE64" {rng.randrange(9_000_000)} NIL '
        f'("attachment" ("FILENAME" "{name}" "SIZE" "1234")) NIL NIL)'
    )


def multipart(rng: random.Random, depth: int) -> tuple[str, int]:
    parts, count = [], 0
    for _ in range(rng.randint(2, 4)):
        deeper = depth > 0 and rng.random() < 0.35
        text, more = multipart(rng, depth - 1) if deeper else (leaf(rng), 1)
        parts.append(text)
        count += more
    kind = rng.choice(("MIXED", "ALTERNATIVE", "RELATED"))
    boundary = f"----=_{rng.getrandbits(60):x}"
    text = f'({"".join(parts)} "{kind}" ("BOUNDARY" "{boundary}") NIL NIL NIL)'
    return text, count


def structure(rng: random.Random, number: int) -> tuple[bytes, Any]:
    text, count = multipart(rng, 3) if rng.random() < 0.8 else (leaf(rng), 1)
    line = f"* {number} FETCH (UID {number + 9} BODYSTRUCTURE {text})"
    return line.encode(), (number, number + 9, count)


def flag_update(rng: random.Random, number: int) -> tuple[bytes, Any]:
    uid, seen, modseq = number * 2 + 1, flags(rng), rng.randrange(1, 10**10)
    text = f"* {number} FETCH (UID {uid} FLAGS ({' '.join(seen)}) MODSEQ ({modseq}))"
    return text.encode(), (number, uid, seen, modseq)


def body(rng: random.Random, number: int) -> tuple[bytes, Any]:
    line = " ".join(rng.choices(WORDS, k=12)).encode() + b"\r\n"
    data = (line * (20_000 // len(line) + 1))[:20_000]
    head = b"* %d FETCH (UID %d BODY[] {%d}\r\n" % (number, number + 5, len(data))
    return head + data + b")", (number, number + 5, len(data))


def listing(rng: random.Random, number: int) -> tuple[bytes, Any]:
    attributes = rng.choice(
        ("\\HasNoChildren", "\\HasChildren \\Noselect", "\\HasNoChildren \\Sent", "")
    )
    name = f"Archive/{number}/{rng.choice(WORDS)}"
    kind = rng.random()
    if kind < 0.5:
        wire = f'"{name}"'
    elif kind < 0.9:
        name = f"Müll/{number}"
        wire = f'"M&APw-ll/{number}"'
    elif kind < 0.95:
        name = f"with space {number}"
        wire = f"{{{len(name)}}}\r\n{name}"
    else:
        name = wire = f"bare.{number}"
    line = f'* LIST ({attributes}) "/" {wire}'
    return line.encode(), (name, tuple(attributes.split()))


def mixed(rng: random.Random, number: int) -> tuple[bytes, Any]:
    """What a client hears in IDLE and between its commands."""
    choices: tuple[tuple[bytes, Any], ...] = (
        (b"* %d EXISTS" % number, ("Exists", number)),
        (b"* %d RECENT" % (number % 9), ("Recent", number % 9)),
        (b"* %d EXPUNGE" % number, ("Expunged", number)),
        (b"A%d OK FETCH completed" % number, ("Completed", "FETCH completed")),
        (b"* OK [UIDNEXT %d] Predicted next UID" % number, ("Reply", number)),
        (b"* OK Still here", ("Reply", None)),
        (b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen)", ("FlagsData", 4)),
        (b"* STATUS foo (MESSAGES %d UNSEEN 3)" % number, ("StatusData", number)),
        (
            b"* %d FETCH (FLAGS (\\Seen) UID %d)" % (number, number),
            ("FetchData", number),
        ),
        (b"* CAPABILITY IMAP4rev1 IDLE LITERAL+ MOVE", ("Capabilities", 4)),
    )
    return rng.choice(choices)


def command(rng: random.Random, number: int) -> tuple[bytes, Any]:
    """What clients say all day."""
    choices = (
        (b"NOOP", b"NOOP"),
        (b'SELECT "Archive/2025"', b"SELECT"),
        (b"FETCH 1:* (UID FLAGS)", b"FETCH"),
        (b"UID FETCH %d:%d (UID FLAGS BODY.PEEK[])" % (number, number + 9), b"FETCH"),
        (b"UID FETCH %d (BODY.PEEK[HEADER.FIELDS (DATE FROM)])" % number, b"FETCH"),
        (b"UID STORE %d +FLAGS.SILENT (\\Seen)" % number, b"STORE"),
        (b'UID SEARCH SINCE 1-Feb-1994 NOT FROM "Smith"', b"SEARCH"),
        (b"UID COPY %d Trash" % number, b"COPY"),
        (b"STATUS INBOX (MESSAGES UNSEEN)", b"STATUS"),
        (b'LIST "" "*"', b"LIST"),
    )
    line, verb = rng.choice(choices)
    return b"A%d %b" % (number, line), verb
