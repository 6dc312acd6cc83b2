"""What FETCH tells of a message: its octets, its envelope, its structure.

The ``email`` package reads the fields; where a part stands is what ``mime`` found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import Header
from email.message import EmailMessage, Message
from email.utils import collapse_rfc2231_value
from functools import cached_property
from itertools import chain
from typing import Any, Final

from .._command import Chunk, End
from ..imap import FetchData, Item, Section, Streamed
from ..imap.envelope import Address, Envelope
from ..imap.fetch import name_of
from ..imap.items import MACROS
from ..imap.structure import BodyPart, Disposition, Multipart, Structure
from .folders import Row
from .mime import Part, take_apart, take_header

# RFC 3501 6.4.5: three old names, and the sections that they stand for.
_OLD: Final[Mapping[str, Section]] = {
    "RFC822": Section(),
    "RFC822.HEADER": Section(text="HEADER"),
    "RFC822.TEXT": Section(text="TEXT"),
}
_SETS_SEEN: Final = frozenset({"RFC822", "RFC822.TEXT"})
LARGE: Final = 262_144  # octets: what has more goes out in pieces


_KNOWN: Final = frozenset(
    {
        *MACROS, *_OLD, "UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE",
        "BODYSTRUCTURE", "BODY", "BODY.PEEK",
    }
)  # fmt: skip


def are_known(items: tuple[Item, ...]) -> bool:
    """Whether all of these can be told."""
    return _KNOWN.issuperset(item.name for item in items)


def items_of(items: tuple[Item, ...]) -> list[Item]:
    """The same without macros."""
    return [Item(name) for item in items for name in MACROS.get(item.name, ())] or [
        *items
    ]


def sets_seen(items: tuple[Item, ...]) -> bool:
    """Whether to look at these is to have read the message."""
    return any(
        item.name in _SETS_SEEN or (item.name == "BODY" and item.section is not None)
        for item in items
    )


@dataclass
class Fetched:
    """A message that is fetched.

    *read* gives so many of its octets, from some place on, a few at a time; it raises
    KeyError if they are gone.
    """

    number: int
    row: Row
    flags: tuple[str, ...]
    read: Callable[[int, int], Iterator[bytes]]

    @cached_property
    def top(self) -> Part:
        """All of it, for those who look at its parts."""
        return take_apart(b"".join(self.read(0, self.row.size)))

    @cached_property
    def outside(self) -> Part:
        """Its header, and where its body is: that can be too large to be had here."""
        if "top" in self.__dict__:
            return self.top
        begin = take_header(self.read(0, self.row.size))
        return Part(begin, 0, len(begin), self.row.size)

    def say(self, items: list[Item]) -> Iterator[FetchData | Chunk | End]:
        """What *items* ask for."""
        told: dict[str, Any] = {}
        for item in items:
            self._add(item, told)
        pieces = [self._piecewise(told, name) for name in told]
        yield FetchData(self.number, told)
        for octets in filter(None, pieces):
            yield from map(Chunk, octets)
            yield End()

    def _piecewise(self, told: dict[str, Any], name: str) -> Iterator[bytes] | None:
        """The octets of an item, if they are to go in pieces; else they are told."""
        span = told[name]
        if not isinstance(span, range):
            return None
        octets = self.read(span.start, len(span))
        if len(span) <= LARGE:
            told[name] = b"".join(octets)
            return None
        told[name] = Streamed(len(span))
        return chain([next(octets)], octets)  # it is there: it can be promised

    def _add(self, item: Item, told: dict[str, Any]) -> None:
        match item.name:
            case "UID":
                told["UID"] = self.row.uid
            case "FLAGS":
                told["FLAGS"] = self.flags
            case "INTERNALDATE":
                told["INTERNALDATE"] = moment(self.row.received)
            case "RFC822.SIZE":
                told["RFC822.SIZE"] = self.row.size
            case "ENVELOPE":
                told["ENVELOPE"] = envelope(self.outside)
            case "BODYSTRUCTURE":
                told["BODYSTRUCTURE"] = structure(self.top)
            case "BODY" if item.section is None:
                told["BODY"] = structure(self.top, extended=False)
            case "BODY" | "BODY.PEEK":
                assert item.section is not None
                octets = self._section(item.section)
                origin = None
                if item.partial is not None:
                    origin, most = item.partial
                    octets = octets and octets[origin : origin + most]
                told[name_of("BODY", item.section, origin)] = octets
            case name if name in _OLD:
                told[name] = self._section(_OLD[name])

    def _section(self, wanted: Section) -> bytes | range | None:
        if wanted == Section():
            return range(self.row.size)
        return section(self.top if wanted.part else self.outside, wanted)


def moment(received: float) -> datetime:
    """A time in seconds as a date-time in UTC, whole seconds."""
    return datetime.fromtimestamp(int(received), UTC)


def section(top: Part, wanted: Section) -> bytes | range | None:
    """RFC 3501 6.4.5: the octets of a section, or where they are; not of the whole.

    ``None``: there is no such part.
    """
    part = top.at(wanted.part)
    if part is None:
        return None
    if not wanted.text:
        return range(part.body, part.end)
    if wanted.text == "MIME":
        return part.header
    if wanted.part:  # HEADER and TEXT are of a message
        if part.message is None:
            return None
        part = part.message
    match wanted.text:
        case "HEADER":
            return part.header
        case "TEXT":
            return range(part.body, part.end)
    others = wanted.text == "HEADER.FIELDS.NOT"
    return part.named(wanted.fields, others=others)


# -- ENVELOPE ----------------------------------------------------------------------


def envelope(part: Part) -> Envelope:
    """RFC 3501 7.4.2: Sender and Reply-To are From where they are missing."""
    parsed = message_from_bytes(part.header, policy=policy.default)
    from_ = _people(parsed, "From")
    return Envelope(
        date=_text(part, "Date"),
        subject=_text(part, "Subject"),
        from_=from_,
        sender=_people(parsed, "Sender") or from_,
        reply_to=_people(parsed, "Reply-To") or from_,
        to=_people(parsed, "To"),
        cc=_people(parsed, "Cc"),
        bcc=_people(parsed, "Bcc"),
        in_reply_to=_text(part, "In-Reply-To"),
        message_id=_text(part, "Message-ID"),
    )


def _text(part: Part, name: str) -> str | None:
    """The first field of that name as it stands in the header, unfolded."""
    values = part.values(name)
    return _clean(values[0]) if values else None


def _clean(text: str) -> str:
    """What a string can hold: octets that are no text are lost."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


def _people(parsed: EmailMessage, name: str) -> tuple[Address, ...]:
    found: list[Address] = []
    try:
        values: list[Any] = parsed.get_all(name, [])
        groups = [group for value in values for group in value.groups]
    except Exception:  # the email package trips over some addresses
        return ()
    for group in groups:
        if group.display_name is not None:
            found.append(Address(None, None, _clean(group.display_name), None))
        for person in group.addresses:
            display = _encoded(person.display_name) if person.display_name else None
            mailbox, host = _clean(person.username), _clean(person.domain)
            found.append(Address(display, None, mailbox, host or ".MISSING-HOST."))
        if group.display_name is not None:
            found.append(Address(None, None, None, None))
    return tuple(found)


def _encoded(name: str) -> str:
    """As it would stand in a header of ASCII (RFC 2047)."""
    name = _clean(name)
    return name if name.isascii() else Header(name, "utf-8", maxlinelen=10_000).encode()


# -- BODY, BODYSTRUCTURE -----------------------------------------------------------


def structure(top: Part, *, extended: bool = True) -> Structure:
    """RFC 3501 7.4.2: all parts; what is *extended* is left out of BODY."""
    # The inner parts first; no message is deep (``mime.MAX_DEPTH``).
    order = [top]
    for part in order:
        order += part.parts or ([part.message] if part.message else [])
    made: dict[int, Structure] = {}
    for part in reversed(order):
        inner = tuple(made[id(each)] for each in part.parts)
        made[id(part)] = (
            _multipart(part, inner, extended) if inner else _leaf(part, made, extended)
        )
    return made[id(top)]


def _multipart(part: Part, inner: tuple[Structure, ...], extended: bool) -> Multipart:
    made = Multipart(inner, part.type[1].upper())
    if extended:
        made.parameters = _parameters(part.fields, "content-type")
        _extend(made, part)
    return made


def _leaf(part: Part, made: dict[int, Structure], extended: bool) -> BodyPart:
    main, sub = part.type
    if main == "multipart":  # without a part, it is text that nobody can read
        main, sub = "text", "plain"
    fields = part.fields
    encoding = _text(part, "Content-Transfer-Encoding") or "7bit"
    leaf = BodyPart(
        main.upper(),
        sub.upper(),
        _parameters(fields, "content-type"),
        _text(part, "Content-ID"),
        _text(part, "Content-Description"),
        encoding.strip().upper(),
        part.end - part.body,
    )
    if main == "text" or part.message is not None:
        leaf.lines = part.data.count(b"\n", part.body, part.end)
    if part.message is not None:
        leaf.envelope = envelope(part.message)
        leaf.body = made[id(part.message)]
    if extended:
        leaf.md5 = _text(part, "Content-MD5")
        _extend(leaf, part)
    return leaf


def _extend(made: Structure, part: Part) -> None:
    kind = part.fields.get_content_disposition()
    if kind is not None:
        parameters = _parameters(part.fields, "content-disposition")
        made.disposition = Disposition(_clean(kind).upper(), parameters)
    language = _text(part, "Content-Language")
    if language:
        made.language = tuple(filter(None, map(str.strip, language.split(","))))
    made.location = _text(part, "Content-Location")


def _parameters(fields: Message, header: str) -> tuple[tuple[str, str], ...]:
    found = fields.get_params(header=header, unquote=True) or []
    return tuple(
        (_clean(name).upper(), _clean(collapse_rfc2231_value(value)))
        for name, value in found[1:]
        if name
    )
