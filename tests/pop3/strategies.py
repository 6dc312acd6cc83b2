"""Strategies for every POP3 value, derived from the classes.

A field gets its strategy by its name; a class with a field that is not named here
has none, and the tests that go over all classes fail.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hypothesis import strategies as st

from mailproto import pop3
from mailproto.pop3 import historic
from mailproto.pop3.grammar import MAX_NUMBER, split_code

COMMANDS: list[type[pop3.Pop3Command[Any]]] = sorted(
    historic.HISTORIC.verbs.values(), key=lambda kind: kind.verb
)
LINES: list[type[Any]] = [
    pop3.StatData,
    pop3.Listing,
    pop3.UniqueId,
    pop3.Capability,
    pop3.Language,
    historic.LastData,
    historic.EnvLine,
]
STATUS: list[type[Any]] = [pop3.Reply, pop3.Greeting, pop3.Challenge]
TURNS: list[type[Any]] = [pop3.Response, pop3.Cancel]

texts = st.text(
    st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=40
)
words = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40
)
numbers = st.integers(0, MAX_NUMBER) | st.integers(0, 20)
positive = st.integers(1, MAX_NUMBER) | st.integers(1, 20)
codes = st.sampled_from([*pop3.ResponseCode, "X-OTHER", "SYS/TEMP/DISK", "A"])

# By the name of the field; by class and field where a name means two things.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "User.name": texts.map(lambda text: text.strip(" ")).filter(bool),
    "Apop.name": texts.map(lambda text: text.strip(" ")).filter(bool),
    "password": texts.filter(bool),
    "digest": st.text("0123456789abcdef", min_size=32, max_size=32),
    "mechanism": st.from_regex(r"\A[A-Z][A-Z0-9_-]{0,19}\Z"),
    "initial": st.none() | st.binary(max_size=60),
    "data": st.binary(max_size=60),
    "tag": words,
    "Lang.tag": st.none() | words,
    "number": positive,
    "List.number": st.none() | positive,
    "Uidl.number": st.none() | positive,
    "LastData.number": numbers,
    "lines": numbers,
    "count": numbers,
    "size": numbers,
    "uid": words,
    "keyword": words.filter(lambda word: "." not in word),
    "arguments": st.lists(
        texts.map(lambda text: text.replace(" ", "_")).filter(bool), max_size=3
    ).map(tuple),
    "description": texts,
    "ok": st.booleans(),
    "text": texts,
    "code": st.none() | codes,
}


def _of_field(kind: str, name: str) -> st.SearchStrategy[Any]:
    return FIELDS[f"{kind}.{name}" if f"{kind}.{name}" in FIELDS else name]


def instances(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Values of *kind*; fields that do not compare are not on the wire."""
    known = {
        field.name: _of_field(kind.__name__, field.name)
        for field in fields(kind)
        if field.compare
    }
    if "code" in known:  # a text that begins with a code is no text without one
        drawn = st.fixed_dictionaries(known)
        legal = drawn.filter(lambda d: d["code"] or split_code(d["text"])[0] is None)
        return legal.map(lambda d: kind(**d))
    return st.builds(kind, **known)


commands = st.one_of([instances(kind) for kind in COMMANDS])
