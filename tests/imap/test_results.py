"""What commands are worth, and which responses answer them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mailproto import imap
from mailproto._command import Call, Chunk, GoAhead
from mailproto.imap import Streamed, UidSet, search
from mailproto.imap.codes import (
    AppendUid,
    Capabilities,
    Code,
    CopyUid,
    PermanentFlags,
    UidNext,
    UidValidity,
    Unseen,
)
from mailproto.imap.fetch import FetchData
from mailproto.imap.mailboxes import ListData, LsubData, NamespaceData, StatusData
from mailproto.imap.replies import Condition, LiteralBegins, Reply
from mailproto.imap.responses import (
    Enabled,
    Exists,
    Expunged,
    FlagsData,
    IdData,
    Recent,
    SearchData,
)
from mailproto.imap.results import Found, Selected

ONE = imap.SequenceSet(1)
DONE = Reply(Condition.OK, "done")


def worth(command: imap.ImapCommand[Any], events: list[Any], answer: Reply) -> Any:
    """The result, as a Call makes it, and what is left to the caller."""
    parts = [event for event in events if command.claims(event)]
    left = [event for event in events if not command.claims(event)]
    return command.result(answer, parts), left


def ok(code: Any) -> Reply:
    return Reply(Condition.OK, "", code)


NEWS: list[Any] = [
    Exists(23), Recent(1), Expunged(3), FlagsData(("\\Seen",)),
    Capabilities("IMAP4rev1"),
    ListData("a", "/"), LsubData("a", "/"), StatusData("a", {"MESSAGES": 1}),
    SearchData((2, 4)), NamespaceData(), IdData(), Enabled("X"),
    Reply(Condition.OK, "look", Code("ALERT")), Reply(Condition.OK, "hello"),
    Reply(Condition.NO, "full", Code("OVERQUOTA")), Reply(Condition.BYE, "bye"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "claimed"),
    [
        (imap.Noop(), []), (imap.Logout(), [Reply]), (imap.Login("a", "b"), []),
        (imap.StartTls(), []), (imap.Authenticate("PLAIN"), []),
        (imap.Idle(), [type(event) for event in NEWS]),
        (imap.Create("a"), []), (imap.Delete("a"), []), (imap.Rename("a", "b"), []),
        (imap.Subscribe("a"), []), (imap.Unsubscribe("a"), []), (imap.Check(), []),
        (imap.Close(), []), (imap.Unselect(), []), (imap.Append("a", b""), []),
        (imap.Copy(ONE, "a"), []), (imap.Move(ONE, "a"), []),
        (imap.Select("a"), [Exists, Recent, FlagsData]),
        (imap.Examine("a"), [Exists, Recent, FlagsData]),
        (imap.Capability(), [Capabilities]), (imap.List(), [ListData]),
        (imap.Lsub(), [LsubData]), (imap.Status("a", "MESSAGES"), [StatusData]),
        (imap.Status("b", "MESSAGES"), []), (imap.Search(search.ALL), [SearchData]),
        (imap.Expunge(), [Expunged]), (imap.Namespace(), [NamespaceData]),
        (imap.Id(), [IdData]), (imap.Enable("X"), [Enabled]),
    ],
    ids=lambda given: getattr(type(given), "__name__", ""),
)  # fmt: skip
def test_a_command_claims_its_kind_and_nothing_else(
    command: imap.ImapCommand[Any], claimed: list[type[Any]]
) -> None:
    assert [type(event) for event in NEWS if command.claims(event)] == claimed


@pytest.mark.parametrize(
    "command",
    [imap.Noop(), imap.Login("a", "b"), imap.Create("a"), imap.Close()],
)
def test_others_are_worth_the_reply(command: imap.ImapCommand[Any]) -> None:
    assert worth(command, NEWS, DONE) == (DONE, NEWS)


def test_idle_claims_its_own_go_ahead() -> None:
    one, other = Call(imap.Idle(), 0), Call(imap.Idle(), 0)
    assert one.command.claims(GoAhead(one, b""))
    assert not one.command.claims(GoAhead(other, b""))


def test_select() -> None:
    """RFC 3501 6.3.1, the example."""
    events: list[Any] = [
        Exists(172), Recent(1), ok(Unseen(12)), ok(UidValidity(3857529045)),
        ok(UidNext(4392)), FlagsData(("\\Answered", "\\Seen")),
        ok(PermanentFlags(("\\Seen", "\\*"))), ok(Code("HIGHESTMODSEQ", "715")),
    ]  # fmt: skip
    alert = Reply(Condition.OK, "full soon", Code("ALERT"))
    selected, left = worth(imap.Select("a"), [*events, alert], ok(Code("READ-WRITE")))
    assert selected == Selected(
        False, 172, 1, ("\\Answered", "\\Seen"), ("\\Seen", "\\*"), 3857529045,
        4392, 12,
        (Code("HIGHESTMODSEQ", "715"),),
    )  # fmt: skip
    assert left == [alert]
    assert worth(imap.Select("a"), [], ok(Code("READ-ONLY")))[0].read_only
    assert not worth(imap.Select("a"), [], DONE)[0].read_only
    assert worth(imap.Examine("a"), [Exists(1), Exists(2)], DONE) == (
        Selected(True, 2), [],
    )  # fmt: skip


def test_lists() -> None:
    one, other = ListData("a", "/"), ListData("b", "/")
    assert worth(imap.List(), [one, Exists(1), other], DONE) == (
        [one, other], [Exists(1)],
    )  # fmt: skip
    sub = LsubData("a", "/")
    assert worth(imap.Lsub(), [one, sub], DONE) == ([sub], [one])


def test_search() -> None:
    events = [SearchData((2, 84)), Exists(900), SearchData((882, 3))]
    found, left = worth(imap.Search(search.ALL, uid=True), events, DONE)
    assert found == Found((2, 84, 882, 3), True)
    assert left == [Exists(900)]
    assert list(found) == [2, 84, 882, 3]
    assert 84 in found
    assert len(found) == 4
    assert found.messages == UidSet("2:3,84,882")
    assert Found((7,), False).messages == imap.SequenceSet(7)
    nothing, _ = worth(imap.Search(search.ALL), [SearchData()], DONE)
    assert not nothing
    assert nothing.messages is None


def test_the_uids_of_copies() -> None:
    appended = AppendUid(38505, UidSet(3955))
    assert worth(imap.Append("a", b""), [], ok(appended))[0] == appended
    assert worth(imap.Append("a", b""), [], DONE)[0] is None
    copied = CopyUid(38505, UidSet("304,319:320"), UidSet("3956:3958"))
    assert worth(imap.Copy(ONE, "a"), [], ok(copied))[0] == copied
    assert worth(imap.Copy(ONE, "a"), [], DONE)[0] is None
    moved = [ok(copied), Expunged(22)]
    assert worth(imap.Move(ONE, "a"), moved, DONE) == (copied, [Expunged(22)])
    assert worth(imap.Move(ONE, "a"), [], ok(copied))[0] == copied
    assert worth(imap.Move(ONE, "a"), [], DONE)[0] is None


def test_expunge() -> None:
    gone = [Expunged(3), Exists(5), Expunged(3)]
    assert worth(imap.Expunge(), gone, DONE) == ([3, 3], [Exists(5)])


@pytest.mark.parametrize(
    ("command", "answer", "nothing"),
    [
        (imap.Capability(), Capabilities("IMAP4rev1"), Capabilities()),
        (imap.Status("a", "X"), StatusData("a", {"X": 1}), StatusData("a", {})),
        (imap.Namespace(), NamespaceData(), NamespaceData()),
        (imap.Id(), IdData((("name", "x"),)), IdData()),
        (imap.Enable("A", "B"), Enabled("A", "B"), Enabled()),
    ],
    ids=lambda given: getattr(type(given), "__name__", ""),
)
def test_one_answer(command: Any, answer: Any, nothing: Any) -> None:
    assert worth(command, [answer], DONE) == (answer, [])
    assert worth(command, [], DONE) == (nothing, [])


def test_enabled_twice_is_both() -> None:
    told = [Enabled("A"), Enabled("B")]
    assert worth(imap.Enable("A", "B"), told, DONE)[0] == Enabled("A", "B")


# -- FETCH and STORE -------------------------------------------------------------


def data(number: int, **items: Any) -> FetchData:
    return FetchData.of(number, **items)


def test_fetch_claims_what_was_asked_of_the_messages() -> None:
    fetch = imap.Fetch(imap.SequenceSet("2:3"), "FLAGS", "ENVELOPE")
    for event in (data(2, flags=()), data(3, flags=("a",), uid=7)):
        assert fetch.claims(event)
    for event in (
        data(4, flags=()),
        data(1, flags=()),
        data(2, uid=9),
        data(3, size=1),
    ):
        assert not fetch.claims(event)
    by_uid = imap.Fetch(UidSet("7:90"), "FAST")
    assert by_uid.claims(data(1, uid=7, size=9))
    assert not by_uid.claims(data(7, size=9))  # it may be any message
    assert not by_uid.claims(data(7, uid=6, size=9))
    assert not by_uid.claims(data(7, uid=8, modseq=9))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("BODY.PEEK[]", "BODY[]"), ("BODY[1.TEXT]<5.10>", "BODY[1.TEXT]<5>"),
        ("RFC822.TEXT", "RFC822.TEXT"), ("BINARY.PEEK[1]", "BINARY[1]"),
        ("BODY[HEADER.FIELDS (DATE FROM)]", "BODY[HEADER.FIELDS (DATE FROM)]"),
        ("BODY[HEADER.FIELDS (date from)]", "BODY[HEADER.FIELDS (FROM DATE)]"),
        ('BODY[1.HEADER.FIELDS ("a b" c)]<0.9>', 'BODY[1.HEADER.FIELDS (C "A B")]<0>'),
    ],
)  # fmt: skip
def test_what_sections_are_called_in_the_answer(asked: str, told: str) -> None:
    fetch = imap.Fetch(ONE, "UID", asked)
    assert fetch.claims(FetchData(1, {told: b"x"}))
    assert not fetch.claims(FetchData(1, {"BODY[9.TEXT]": b"x"}))
    assert not fetch.claims(FetchData(1, {"BODY[HEADER.FIELDS (TO)]": b"x"}))
    assert fetch.claims(LiteralBegins(1, told, 1))
    assert not fetch.claims(LiteralBegins(2, told, 1))
    assert not fetch.claims(LiteralBegins(1, "BODY[9.TEXT]", 1))
    assert fetch.claims(Chunk(b"x"))
    assert not imap.Fetch(ONE, "UID", "BODY", "RFC822.SIZE").claims(Chunk(b"x"))
    by_uid = imap.Fetch(UidSet(7), asked)
    assert by_uid.claims(LiteralBegins(1, told, 1))  # as far as can be told
    assert by_uid.claims(LiteralBegins(1, told, 1, uid=7))
    assert not by_uid.claims(LiteralBegins(7, told, 1, uid=1))


def test_the_last_message_may_be_before_the_range() -> None:
    """RFC 3501 6.4.8: 559:* is the last message, even if it is before 559."""
    assert imap.Fetch(UidSet("559:*"), "FLAGS").claims(data(1, uid=7, flags=()))


def test_fetch_is_worth_its_data_with_their_octets() -> None:
    fetch = imap.Fetch(imap.SequenceSet("1:2"), "FLAGS", "BODY[]", "BODY[1]")
    flags = data(2, flags=("\\Seen",))
    news = data(9, flags=())
    events: list[Any] = [
        flags, news,
        LiteralBegins(1, "BODY[]", 4), Chunk(b"ab"), Chunk(b"cd"),
        LiteralBegins(1, "BODY[1]", 1), Chunk(b"x"),
        FetchData(1, {"BODY[]": Streamed(4), "BODY[1]": Streamed(1), "FLAGS": ()}),
        FetchData(2, {"BODY[]": b"y"}),
    ]  # fmt: skip
    assert worth(fetch, events, DONE) == (
        [
            flags, FetchData(1, {"BODY[]": b"abcd", "BODY[1]": b"x", "FLAGS": ()}),
            FetchData(2, {"BODY[]": b"y"}),
        ],
        [news],
    )  # fmt: skip


def test_octets_that_are_not_all_there_stay_streamed() -> None:
    """They were fewer than was said."""
    told = FetchData(1, {"BODY[]": Streamed(4)})
    events = [LiteralBegins(1, "BODY[]", 4), Chunk(b"ab"), told]
    assert worth(imap.Fetch(ONE, "BODY[]"), events, DONE) == ([told], [])


def test_store_claims_the_new_flags() -> None:
    add = imap.Store(imap.SequenceSet("2:3"), imap.Change.ADD, ("\\Seen",))
    told, news = data(2, flags=("\\Seen",)), data(4, flags=())
    assert worth(add, [told, news, Exists(3)], DONE) == ([told], [news, Exists(3)])
    assert not add.claims(data(2, uid=3))
    silent = imap.Store(UidSet("2:3"), imap.Change.ADD, ("\\Seen",), silent=True)
    assert not silent.claims(data(2, uid=2, flags=()))
    assert silent.claims(data(9, uid=2, modseq=5))


def test_a_large_set_is_asked_fast() -> None:
    fetch = imap.Fetch(UidSet.of(range(1, 100_000, 2)), "FLAGS")
    begin = time.perf_counter()
    ours = [
        uid for uid in range(20_000) if fetch.claims(data(1, uid=uid + 1, flags=()))
    ]
    assert len(ours) == 10_000
    assert time.perf_counter() - begin < 5
