"""Strategies for every IMAP command, derived from the classes.

A field gets its strategy by its name; a class with a field that is not named here has
none, and the tests that go over all classes fail.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from mailproto import imap
from mailproto.imap import search
from mailproto.imap.names import read_name
from mailproto.imap.search import Key
from mailproto.imap.sets import MAX_NUMBER
from mailproto.imap.tokens import Token

COMMANDS: list[type[imap.ImapCommand[Any]]] = [
    imap.Append, imap.Authenticate, imap.Capability, imap.Check, imap.Close, imap.Copy,
    imap.Create, imap.Delete, imap.Enable, imap.Examine, imap.Expunge, imap.Fetch,
    imap.Id, imap.Idle, imap.List, imap.Login, imap.Logout, imap.Lsub, imap.Move,
    imap.Namespace, imap.Noop, imap.Rename, imap.Search, imap.Select, imap.StartTls,
    imap.Status, imap.Store, imap.Subscribe, imap.Unselect, imap.Unsubscribe,
]  # fmt: skip
VERBS = imap.verbs_of(*COMMANDS) | {b"XTRA": imap.Other}
LEAVES: list[type[Key]] = list(search.LEAVES.values())

ATOM = "!#$&'+,-./0123456789:;<=>?@ABCXYZ[^_`abcxyz|}~"
atoms = st.text(ATOM, min_size=1, max_size=12)
#: what strings of the protocol have trouble with, among other things
texts = st.text(
    st.sampled_from(' "\\(){}%*]&\r\n\tNIL{3}+~é\udcff日😍')
    | st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    max_size=30,
)
lone = st.sampled_from(["\ud800", "\udfff", "\0", "\udc00"])
names = (
    st.sampled_from(["INBOX", "inbox", "", "NIL", "a/b", "&", "Entwürfe", "日本語/x"])
    | st.text(
        st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]),
        max_size=20,
    )
    | st.binary(max_size=12).filter(lambda raw: b"\0" not in raw).map(read_name)
    | st.text("&AOk-2D3eDQ,+/=", max_size=12).map(lambda raw: read_name(raw.encode()))
)
numbers = st.integers(0, 20) | st.integers(0, MAX_NUMBER)
nz_numbers = st.integers(1, 20) | st.integers(1, MAX_NUMBER)
ends = st.none() | nz_numbers
ranges = st.lists(st.tuples(ends, ends), min_size=1, max_size=5)
sequence_sets = ranges.map(lambda parts: imap.SequenceSet(*parts))
uid_sets = ranges.map(lambda parts: imap.UidSet(*parts))
flags = st.builds(str.__add__, st.sampled_from(["", "\\"]), atoms) | st.sampled_from(
    ["\\Seen", "\\sEEN", "\\Recent", "$Forwarded", "NIL"]
)
zones = st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.builds(
    lambda moment, zone: moment.replace(tzinfo=zone),
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 28)),
    zones,
)
field_names = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=9
)
sections = st.one_of(
    st.builds(
        imap.Section,
        st.lists(nz_numbers, max_size=3).map(tuple),
        st.sampled_from(["", "HEADER", "text"]),
    ),
    st.builds(
        imap.Section,
        st.lists(nz_numbers, min_size=1, max_size=3).map(tuple),
        st.just("MIME"),
    ),
    st.builds(
        imap.Section,
        st.lists(nz_numbers, max_size=3).map(tuple),
        st.sampled_from(["HEADER.FIELDS", "HEADER.FIELDS.NOT"]),
        st.lists(field_names, min_size=1, max_size=3).map(tuple),
    ),
)
items = st.one_of(
    st.sampled_from(
        ["FLAGS", "uid", "RFC822.SIZE", "BODY", "MODSEQ", "X-GM-MSGID"]
    ).map(imap.Item),
    st.builds(
        imap.Item,
        st.sampled_from(["BODY", "BODY.PEEK", "BINARY", "X"]),
        sections,
        st.none() | st.tuples(numbers, nz_numbers),
    ),
)
words = st.text(ATOM + "]%*", min_size=1, max_size=9) | flags


def _list(inner: st.SearchStrategy[Token]) -> st.SearchStrategy[Token]:
    return st.lists(inner, max_size=3).map(tuple)


tokens: st.SearchStrategy[Token] = st.recursive(
    words | st.binary(max_size=12), _list, max_leaves=8
)
labels = st.from_regex(r"\A[A-Za-z][A-Za-z0-9._-]{0,9}\Z")
parameters = st.lists(
    st.builds(
        imap.Parameter,
        labels,
        st.none()
        | numbers.map(str)
        | sequence_sets.map(str)
        | st.lists(tokens, max_size=3).map(tuple),
    ),
    max_size=3,
).map(tuple)
search_texts = texts
dates = st.dates(date(1, 1, 1))

# By the name of the field; by class and field where a name means two things.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "mailbox": names,
    "to": names,
    "reference": names,
    "pattern": names | st.text("a/%*&-é", max_size=9),
    "message": st.binary(max_size=40).map(lambda data: data.replace(b"\0", b"")),
    "flags": st.lists(flags, max_size=4).map(tuple),
    "date": st.none() | moments,
    "mechanism": st.from_regex(r"\A[A-Z][A-Z0-9_-]{0,19}\Z"),
    "initial": st.none() | st.binary(max_size=60),
    "user": texts,
    "password": texts,
    "parameters": parameters,
    "modifiers": parameters,
    "messages": sequence_sets | uid_sets,
    "Expunge.messages": st.none() | uid_sets,
    "change": st.sampled_from(imap.Change),
    "silent": st.booleans(),
    "Id.fields": st.none()
    | st.dictionaries(
        st.text('abc é"\\', max_size=9), st.none() | texts, max_size=4
    ).map(lambda known: tuple(known.items())),
    "text": search_texts,
    "field": texts,
    "flag": atoms,
    "size": numbers,
    "Messages.messages": sequence_sets,
    "Uid.messages": uid_sets,
}
for _kind in (search.Before, search.On, search.Since):
    FIELDS[f"{_kind.__name__}.date"] = FIELDS[f"Sent{_kind.__name__}.date"] = dates


def built(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Values of a class whose fields are its arguments, by their names."""
    known = {}
    for part in fields(kind):
        if part.compare and part.init:
            name = f"{kind.__name__}.{part.name}"
            known[part.name] = FIELDS[name if name in FIELDS else part.name]
    return st.builds(kind, **known)


leaves: st.SearchStrategy[Key] = st.one_of(
    st.sampled_from(list(search.CONSTANTS.values())),
    built(search.Messages),
    *map(built, LEAVES),
)


def _key_of(keys: st.SearchStrategy[Key]) -> st.SearchStrategy[Key]:
    return st.one_of(
        st.lists(keys, min_size=1, max_size=3).map(lambda all_: search.And(*all_)),
        st.builds(search.Or, keys, keys),
        st.builds(search.Not, keys),
    )


keys: st.SearchStrategy[Key] = st.recursive(leaves, _key_of, max_leaves=8)


def instances(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Commands of *kind*; fields that do not compare are not on the wire."""
    if kind is imap.Fetch:
        some = st.lists(items, min_size=1, max_size=4)
        macro = st.sampled_from([["ALL"], ["fast"], ["FULL"]])
        return st.builds(
            lambda messages, items, modifiers: imap.Fetch(
                messages, *items, modifiers=modifiers
            ),
            FIELDS["messages"], some | macro, parameters,
        )  # fmt: skip
    if kind is imap.Search:
        return st.builds(
            lambda keys, charset, uid: imap.Search(*keys, charset=charset, uid=uid),
            st.lists(keys, min_size=1, max_size=3),
            st.sampled_from([None, "UTF-8", "koi8-r", '"\\']),
            st.booleans(),
        )
    if kind is imap.Status:
        wanted = st.lists(atoms, min_size=1, max_size=4)
        return st.builds(lambda name, items: imap.Status(name, *items), names, wanted)
    if kind is imap.Enable:
        wanted = st.lists(atoms, min_size=1, max_size=4)
        return wanted.map(lambda names: imap.Enable(*names))
    if kind is imap.Other:
        given = st.lists(tokens, max_size=4)
        return given.map(lambda given: imap.Other("xtra", *given))
    return built(kind)


commands: st.SearchStrategy[imap.ImapCommand[Any]] = st.one_of(
    [instances(kind) for kind in [*COMMANDS, imap.Other]]
)
