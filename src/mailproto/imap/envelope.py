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
from functools import lru_cache
from itertools import count
from typing import Any, Final, NamedTuple, TypeAlias

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

# Which piece is which, of the text split at its quotes; -1, the last, is None.
_Person: TypeAlias = tuple[int, int, int, int]


class _Plan(NamedTuple):
    size: int  # how many pieces there are
    singles: tuple[int, int, int, int]  # date, subject, in-reply-to, message-id
    lists: list[tuple[_Person, ...]]
    #: where From is, Sender, and Reply-To, if they look the same
    twins: list[slice] | None


# A shape has `"` where a string is: ("" "" (("" NIL "" "")) ...
_STRING: Final = r'(?:"|NIL)'
_LIST: Final = rf"(NIL|\((?:\({_STRING} {_STRING} {_STRING} {_STRING}\))+\))"
_SHAPE: Final = re.compile(
    rf"\(({_STRING}) ({_STRING}){f' {_LIST}' * 6} ({_STRING}) ({_STRING})\)"
)
_WORD: Final = re.compile(_STRING)
_MAX_SHAPE: Final = 500  # thirty addresses; of longer ones the plan is not kept
# Escapes become what ASCII does not decode to, so that each quote is one of the two.
_BACKSLASH: Final = "\ud800"
_QUOTE: Final = "\ud801"


def read_envelope(data: bytes) -> Envelope:
    """The same of the whole text; ValueError if it is not of the regular kind."""
    text = data.decode("ascii")
    marked = "\\" in text
    if marked:
        text = text.replace("\\\\", _BACKSLASH).replace('\\"', _QUOTE)
    pieces: list[Any] = text.split('"')
    shape = '"'.join(pieces[::2])
    plan = _few_plans(shape) if len(shape) < _MAX_SHAPE else _plan(shape)
    size, (date, subject, in_reply_to, message_id), lists, twins = plan
    if len(pieces) != size or "\\" in text or "\0" in text or "\n" in text:
        raise ValueError("this is for the grammar")
    if marked:
        pieces = [text if text.isascii() else _unmark(text) for text in pieces]
    pieces.append(None)
    if twins and pieces[twins[0]] == pieces[twins[1]] == pieces[twins[2]]:
        lists = lists[2:]  # two of three, the server has filled them in
    *senders, to, cc, bcc = [
        tuple([
            Address(pieces[a], pieces[b], pieces[c], pieces[d])
            for a, b, c, d in people
        ]) if people else ()
        for people in lists
    ]  # fmt: skip
    from_, sender, reply_to = senders if len(senders) == 3 else senders * 3
    return Envelope(
        pieces[date], pieces[subject], from_, sender, reply_to, to, cc, bcc,
        pieces[in_reply_to], pieces[message_id],
    )  # fmt: skip


def _unmark(text: str) -> str:
    return text.replace(_BACKSLASH, "\\").replace(_QUOTE, '"')


def _plan(shape: str) -> _Plan:
    found = _SHAPE.fullmatch(shape)
    if found is None:
        raise ValueError("this is for the grammar")
    place = count(1, 2)
    (date,), (subject,), *lists, (in_reply_to,), (message_id,) = [
        [next(place) if word == '"' else -1 for word in _WORD.findall(field)]
        for field in found.groups()
    ]
    people = [tuple(zip(*[iter(words)] * 4, strict=False)) for words in lists]
    twins = None
    if found[3] == found[4] == found[5] and '"' in found[3]:
        strings = [[at for at in words if at > 0] for words in lists[:3]]
        twins = [slice(ats[0], ats[-1] + 1) for ats in strings]
    singles = date, subject, in_reply_to, message_id
    return _Plan(next(place), singles, people, twins)


_few_plans: Final = lru_cache(maxsize=2048)(_plan)


# Strings and all, to find the end of one that something follows.
_TEXT: Final = rb'(?:NIL|"[^"\\\r\n\0\x80-\xff]*+(?:\\["\\][^"\\\r\n\0\x80-\xff]*+)*+")'
_PEOPLE: Final = rb"(?:NIL|\((?:\(%b %b %b %b\))++\))" % ((_TEXT,) * 4)
ENVELOPE: Final = rb"(\(%b %b %b %b %b %b %b %b %b %b\))" % (
    _TEXT, _TEXT, *(_PEOPLE,) * 6, _TEXT, _TEXT,
)  # fmt: skip
