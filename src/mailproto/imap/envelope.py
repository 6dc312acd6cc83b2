"""ENVELOPE: the header of a message, taken apart by the server (RFC 3501 7.4.2).

    ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes"
     (("Terry Gray" NIL "gray" "cac.washington.edu")) ... NIL NIL NIL "<B27397@cac>")

There are two ways to read one, and they come to the same.  ``take_envelope`` walks over
it, knows the faults of real servers, and takes literals.  ``read_envelope`` splits the
text at its quotes: what lies between the strings, the *shape*, repeats from message to
message, and a plan for each shape, made once, says which string goes where.  Shapes
that are not regular have no plan.

The values are made by the ten thousand, and a frozen dataclass costs four times as much
as these do; they are not to be changed all the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Final, TypeAlias

from .grammar import Fragment, check_text, write_nstring
from .quirks import Quirk, Reader


@dataclass(slots=True)
class Address:
    """RFC 3501 7.4.2: ``("Terry Gray" NIL "gray" "cac.washington.edu")``.

    Text is as in the header, encoded words and all.  Where *host* is ``None``, a group
    of RFC 5322 begins, called *mailbox*, or ends, if that is ``None`` too.
    """

    name: str | None
    route: str | None
    mailbox: str | None
    host: str | None

    def __str__(self) -> str:
        return f"{self.mailbox or ''}@{self.host}" if self.host else self.mailbox or ""

    def write(self) -> list[Fragment]:
        return [
            b"(", _write(self.name), b" ", _write(self.route), b" ",
            _write(self.mailbox), b" ", _write(self.host), b")",
        ]  # fmt: skip


Addresses: TypeAlias = tuple[Address, ...]


@dataclass(slots=True)
class Envelope:
    """RFC 3501 7.4.2: the ten fields, as they stand in the header, unfolded.

    ``None`` is a field that is not there; *sender* and *reply_to* are filled in by the
    server.  No addresses are ``()``.
    """

    date: str | None = None
    subject: str | None = None
    from_: Addresses = ()
    sender: Addresses = ()
    reply_to: Addresses = ()
    to: Addresses = ()
    cc: Addresses = ()
    bcc: Addresses = ()
    in_reply_to: str | None = None
    message_id: str | None = None

    def write(self) -> list[Fragment]:
        """In parentheses; raises ValueError for text that no string can hold."""
        written: list[Fragment] = [b"(", _write(self.date), b" ", _write(self.subject)]
        for name in _LISTS:
            addresses: Addresses = getattr(self, name)
            inner = [part for address in addresses for part in address.write()]
            written += [b" (", *inner, b")"] if inner else [b" NIL"]
        written += [b" ", _write(self.in_reply_to), b" ", _write(self.message_id)]
        return [*written, b")"]


_LISTS: Final = ("from_", "sender", "reply_to", "to", "cc", "bcc")
_FIELDS: Final = tuple(field.name for field in fields(Envelope))


def _write(text: str | None) -> Fragment:
    if text is not None:
        check_text(text, "a field of an envelope")
    return write_nstring(text)


# -- the grammar -----------------------------------------------------------------


def take_envelope(reader: Reader) -> Envelope:
    """The envelope that begins here."""
    reader.expect(b"(")
    reader.skip_spaces()
    envelope = Envelope()
    for name in _FIELDS:
        if name != "date" and reader.closes():
            reader.tolerate(Quirk.SHORT_ENVELOPE)
            return envelope
        if name in _LISTS:
            setattr(envelope, name, _take_addresses(reader))
        else:
            setattr(envelope, name, reader.take_nstring_text())
    reader.expect_close()
    return envelope


def _take_addresses(reader: Reader) -> Addresses:
    if reader.accept_nil():
        return ()
    reader.expect(b"(")
    addresses: list[Address] = []
    while not reader.accept(b")"):
        if reader.accept_nil():
            reader.tolerate(Quirk.NIL_ADDRESS)
        else:
            addresses.append(_take_address(reader))
        reader.skip_spaces(Quirk.SPACE_BETWEEN)
    if not addresses:
        reader.tolerate(Quirk.EMPTY_LIST)
    return tuple(addresses)


def _take_address(reader: Reader) -> Address:
    reader.expect(b"(")
    name = reader.take_nstring_text()
    reader.expect_space()
    route = reader.take_nstring_text()
    reader.expect_space()
    mailbox = reader.take_nstring_text()
    reader.expect_space()
    host = reader.take_nstring_text()
    reader.expect_close()
    return Address(name, route, mailbox, host)


# -- by its quotes ---------------------------------------------------------------

# Which string is which; -1, the last of the list, is the None behind the strings.
_Person: TypeAlias = tuple[int, int, int, int]
_Plan: TypeAlias = tuple[int, int, tuple[tuple[_Person, ...], ...], int, int, int]

_MAX_PLANS: Final = 1024
_MAX_SHAPE: Final = 2000  # a hundred addresses and more
_plans: dict[str, _Plan | None] = {}

# A shape has `"` where a string is: ("" "" (("" NIL "" "")) ...
_STRING: Final = r'(?:"|NIL)'
_PERSON: Final = rf"\({_STRING} {_STRING} {_STRING} {_STRING}\)"
_LIST: Final = rf"(?:NIL|\((?:{_PERSON})+\))"
_SHAPE: Final = re.compile(
    rf"\({_STRING} {_STRING}{f' {_LIST}' * 6} {_STRING} {_STRING}\)"
)
_WORDS: Final = re.compile(r'[()"]|NIL')
# Escapes become what UTF-8 does not decode to, so that each quote is one of the two.
_BACKSLASH: Final = "\ud800"
_QUOTE: Final = "\ud801"


def read_envelope(text: str) -> Envelope | None:
    """The same of the whole text, or ``None`` if it is not of the regular kind."""
    if not text.isascii() or "\0" in text:
        return None
    marked = "\\" in text
    if marked:
        text = text.replace("\\\\", _BACKSLASH).replace('\\"', _QUOTE)
        if "\\" in text:
            return None
    pieces = text.split('"')
    shape = '"'.join(pieces[::2])
    try:
        plan = _plans[shape]
    except KeyError:
        plan = _learn(shape)
    strings: list[str | None] = pieces[1::2]  # type: ignore[assignment]
    if plan is None or len(strings) != plan[5]:
        return None
    if marked:
        strings = [_unmark(piece) for piece in pieces[1::2]]
    strings.append(None)
    date, subject, lists, in_reply_to, message_id, _ = plan
    from_, sender, reply_to, to, cc, bcc = [
        tuple([
            Address(strings[a], strings[b], strings[c], strings[d])
            for a, b, c, d in people
        ])
        for people in lists
    ]  # fmt: skip
    return Envelope(
        strings[date], strings[subject], from_, sender, reply_to, to, cc, bcc,
        strings[in_reply_to], strings[message_id],
    )  # fmt: skip


def _unmark(text: str) -> str:
    return text.replace(_BACKSLASH, "\\").replace(_QUOTE, '"')


def _learn(shape: str) -> _Plan | None:
    """Make the plan for a new shape, if it is regular, and keep it."""
    if len(shape) > _MAX_SHAPE:
        return None
    if len(_plans) >= _MAX_PLANS:
        _plans.clear()
    plan = _plans[shape] = _plan(shape) if _SHAPE.fullmatch(shape) else None
    return plan


def _plan(shape: str) -> _Plan:
    depth = count = 0
    singles: list[int] = []
    lists: list[tuple[_Person, ...]] = []
    people: list[_Person] = []
    person: list[int] = []
    for word in _WORDS.findall(shape):
        if word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
            if depth == 2:
                a, b, c, d = person
                people.append((a, b, c, d))
                person = []
            elif depth == 1:
                lists.append(tuple(people))
                people = []
        elif depth == 1 and len(singles) >= 2 and len(lists) < 6:
            lists.append(())  # NIL
        else:
            (singles if depth == 1 else person).append(count if word == '"' else -1)
            count += word == '"'
    date, subject, in_reply_to, message_id = singles
    return date, subject, tuple(lists), in_reply_to, message_id, count


# The same, strings and all: to find the end of one that something follows.
_TEXT: Final = rb'(?:NIL|"(?:[^"\\\r\n\0\x80-\xff]|\\["\\])*+")'
_PEOPLE: Final = rb"(?:NIL|\((?:\(%b %b %b %b\))++\))" % ((_TEXT,) * 4)
ENVELOPE: Final = rb"(\(%b %b %b %b %b %b %b %b %b %b\))" % (
    _TEXT, _TEXT, *(_PEOPLE,) * 6, _TEXT, _TEXT,
)  # fmt: skip
