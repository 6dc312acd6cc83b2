"""Strategies for every SMTP value, derived from the classes.

A field gets its strategy by its name; a class with a field that is not named here
has none, and the tests that go over all classes fail.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from mailproto import smtp
from mailproto.smtp.grammar import MAX_NUMBER, Mailbox
from mailproto.smtp.parameters import KNOWN

COMMANDS: list[type[smtp.SmtpCommand[Any]]] = sorted(
    {*smtp.SMTP.verbs.values(), *smtp.LMTP.verbs.values()}, key=lambda kind: kind.verb
)
PARAMETERS: list[type[smtp.Parameter]] = [*KNOWN.values(), smtp.Other]
STATUS: list[type[Any]] = [smtp.Reply, smtp.Greeting]
TURNS: list[type[Any]] = [smtp.Response, smtp.Cancel]

words = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40
)
texts = st.text(
    st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=40
)
arguments = st.text(
    st.characters(
        exclude_characters="\xa0", exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]
    ),
    min_size=1,
    max_size=20,
)
labels = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9-]{0,8}[A-Za-z0-9])?\Z")
domains = st.lists(labels, min_size=1, max_size=3).map(".".join)
literals = st.sampled_from(
    ["[192.0.2.1]", "[IPv6:2001:db8::1]", "[ipv6:::]", "[010.0.0.255]", "[tag:x]"]
)
atoms = st.from_regex(r"\A[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,9}\Z")
locals_ = st.lists(atoms, min_size=1, max_size=3).map(".".join) | st.lists(
    st.sampled_from(["a", " ", "@", ">", "\\\\", '\\"', "\\a", "<", ","]),
    min_size=1,
    max_size=9,
).map(lambda parts: f'"{"".join(parts)}"')
ascii_mailboxes = st.builds(
    lambda local, domain: f"{local}@{domain}", locals_, domains | literals
)
utf8_mailboxes = st.sampled_from(["péter@example.hu", '"ü ü"@ä.example', "孫@áé.org"])
numbers = st.integers(0, MAX_NUMBER) | st.integers(0, 20)
moments = st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1))
zones = st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))
codes = st.builds(
    lambda a, b, c: a * 100 + b * 10 + c,
    st.integers(2, 5),
    st.integers(0, 5),
    st.integers(0, 9),
)

# By the name of the field; by class and field where a name means two things.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "domain": domains | literals,
    "EhloData.domain": domains,
    "mechanism": st.from_regex(r"\A[A-Z][A-Z0-9_-]{0,19}\Z"),
    "initial": st.none() | st.binary(max_size=60),
    "data": st.binary(max_size=60),
    "size": numbers,
    "last": st.booleans(),
    "url": st.from_regex(r"\Aimap:[!-~]{1,20}\Z"),
    "text": st.just("") | arguments,
    "Vrfy.text": arguments.filter(str.isascii).filter(lambda text: text != '""'),
    "Expn.text": arguments.filter(lambda text: text != '""'),
    "Other.text": st.none()
    | st.from_regex(r"\A[!-<>-~é]{1,20}\Z").filter(lambda text: "\n" not in text),
    "Vrfy.smtputf8": st.booleans(),
    "Expn.smtputf8": st.just(True),
    "node": words,
    "domains": st.lists(domains, max_size=3).map(tuple),
    "attributes": st.dictionaries(
        st.from_regex(r"\A[A-Z]{1,9}\Z"), texts.filter(str.isprintable).filter(bool),
        min_size=1, max_size=4,
    ).map(lambda known: tuple(known.items())),
    "octets": numbers,
    "Body.type": st.sampled_from(smtp.BodyType),
    "mailbox": st.just("") | ascii_mailboxes | utf8_mailboxes,
    "what": st.sampled_from(smtp.Returned),
    "name": st.text("aZ09 +=/~", min_size=1, max_size=30),
    "seconds": st.integers(1, 999_999_999),
    "notify": st.booleans(),
    "trace": st.booleans(),
    "moment": st.builds(lambda m, z: m.replace(tzinfo=z), moments, zones),
    "HoldUntil.moment": moments.map(lambda m: m.replace(tzinfo=UTC)),
    "priority": st.integers(-9, 9),
    "of": st.lists(st.sampled_from(smtp.NotifyWhen), unique=True).map(tuple),
    "address": st.text("aZ@. +=\\<>", min_size=1, max_size=30),
    "Orcpt.type": st.sampled_from(["rfc822", "UTF-8", "utf-8", "x400"]),
    "action": st.sampled_from([None, "C", "R"]),
    "word": st.from_regex(r"\AX[A-Za-z0-9-]{0,9}\Z"),
    "code": codes,
    "Greeting.code": st.sampled_from([220, 421, 554]),
    "greeting": texts,
    "Reply.text": st.lists(texts, min_size=1, max_size=3).map("\n".join),
    "Greeting.text": st.lists(texts, min_size=1, max_size=3).map("\n".join),
    "keyword": st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9-]{0,9}\Z"),
    "parameters": st.lists(words, max_size=3).map(tuple),
}  # fmt: skip


def _of_field(kind: str, name: str) -> st.SearchStrategy[Any]:
    return FIELDS[f"{kind}.{name}" if f"{kind}.{name}" in FIELDS else name]


def _status(kind: type[Any]) -> st.SearchStrategy[Any]:
    def make(code: int, text: str, parts: tuple[int, int] | None) -> Any:
        if parts is None or code // 100 == 3:
            return kind(code=code, text=text)
        return kind(
            code=code, text=text, enhanced=smtp.EnhancedCode(code // 100, *parts)
        )

    parts = st.none() | st.tuples(st.integers(0, 999), st.integers(0, 999))
    code, text = (_of_field(kind.__name__, name) for name in ("code", "text"))
    return st.builds(make, code, text, parts)


def instances(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Values of *kind*; fields that do not compare are not on the wire."""
    if kind in STATUS:
        return _status(kind)
    if kind is smtp.EhloData:
        return st.builds(
            kind,
            FIELDS["EhloData.domain"],
            st.lists(instances(smtp.Extension), max_size=4).map(tuple),
            FIELDS["greeting"],
        )
    if kind is smtp.Mail:
        sender = st.just("") | ascii_mailboxes
        utf8 = st.tuples(ascii_mailboxes | utf8_mailboxes, parameters("MAIL")).map(
            lambda drawn: (drawn[0], (smtp.SmtpUtf8(), *drawn[1]))
        )
        plain = st.tuples(sender, parameters("MAIL").filter(_is_ascii))
        return (plain | utf8).map(lambda drawn: smtp.Mail(drawn[0], *drawn[1]))
    if kind is smtp.Rcpt:
        to = st.just("Postmaster") | ascii_mailboxes | utf8_mailboxes
        return st.tuples(to, parameters("RCPT")).map(
            lambda drawn: smtp.Rcpt(drawn[0], *drawn[1])
        )
    known = {
        field.name: _of_field(kind.__name__, field.name)
        for field in fields(kind)
        if field.compare and field.init
    }
    return st.builds(kind, **known)


def _is_ascii(drawn: tuple[smtp.Parameter, ...]) -> bool:
    return all(str(parameter).isascii() for parameter in drawn)


def parameters(verb: str) -> st.SearchStrategy[tuple[smtp.Parameter, ...]]:
    """Of each kind one at most, and not both of those that are rivals."""
    kinds = [k for k in KNOWN.values() if k.verb == verb and k is not smtp.SmtpUtf8]
    every: list[Any] = [instances(k) for k in kinds if k is not smtp.HoldFor]
    every.append(instances(smtp.Other))
    return st.lists(
        st.one_of(every),
        max_size=4,
        unique_by=lambda p: p.word.upper() if isinstance(p, smtp.Other) else p.keyword,
    ).map(tuple)


mailboxes = ascii_mailboxes.map(Mailbox.read)
commands = st.one_of([instances(kind) for kind in COMMANDS])
