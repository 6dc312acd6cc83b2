"""The table, what more than the state decides, and which commands go together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto.imap import (
    Append,
    Authenticate,
    Capabilities,
    Capability,
    Change,
    Check,
    Close,
    Code,
    Condition,
    Copy,
    Create,
    Delete,
    Enable,
    Examine,
    Expunge,
    Fetch,
    Id,
    Idle,
    Limits,
    List,
    Login,
    Logout,
    Lsub,
    Move,
    Namespace,
    Noop,
    Other,
    Rename,
    Reply,
    Search,
    Select,
    SequenceSet,
    StartTls,
    State,
    Status,
    Store,
    Subscribe,
    UidSet,
    Unselect,
    search,
)
from mailproto.imap.state import (
    IMAP4REV1,
    Progress,
    Traffic,
    Verdict,
    conflict,
    effects,
    may_expunge,
    name_of,
    uses_numbers,
)

ONE, TWO = SequenceSet(1), SequenceSet(2)
FETCH = Fetch(ONE, "FLAGS")
STORE = Store(ONE, Change.ADD, ("\\Seen",))
SEARCH = Search(search.SEEN)
COPY = Copy(ONE, "x")
NOOP, CHECK, EXPUNGE = Noop(), Check(), Expunge()
UID_FETCH = Fetch(UidSet(1), "BODY.PEEK[]")
UID_SEARCH = Search(search.SEEN, uid=True)
BY_NUMBER = Search(search.Messages(ONE), uid=True)


def progress(state: State, *offered: str) -> Progress:
    return Progress(IMAP4REV1, state, Capabilities(*offered) if offered else None)


@pytest.mark.parametrize(
    ("command", "states"),
    [
        (Capability(), "NAS"), (NOOP, "NAS"), (Logout(), "NAS"), (Id(), "NAS"),
        (Other("XPIG"), "NAS"),
        (Login("a", "b"), "N"), (Authenticate("PLAIN"), "N"), (StartTls(), "N"),
        (Enable("X"), "A"),
        (Select("a"), "AS"), (Examine("a"), "AS"), (Create("a"), "AS"),
        (Delete("a"), "AS"), (Rename("a", "b"), "AS"), (Subscribe("a"), "AS"),
        (List(), "AS"), (Lsub(), "AS"), (Status("a", "UNSEEN"), "AS"),
        (Append("a", b""), "AS"), (Namespace(), "AS"), (Idle(), "AS"),
        (FETCH, "S"), (STORE, "S"), (SEARCH, "S"), (COPY, "S"), (CHECK, "S"),
        (EXPUNGE, "S"), (Expunge(UidSet(1)), "S"), (Close(), "S"), (Unselect(), "S"),
        (Move(ONE, "x"), "S"),
    ],
    ids=lambda value: value if isinstance(value, str) else name_of(value),
)  # fmt: skip
def test_what_can_be_said_where(command: Any, states: str) -> None:
    everything = (
        "SASL-IR", "ID", "ENABLE", "IDLE", "NAMESPACE", "MOVE", "UIDPLUS", "UNSELECT",
        "AUTH=PLAIN", "STARTTLS",
    )  # fmt: skip
    allowed = {
        "N": State.NOT_AUTHENTICATED, "A": State.AUTHENTICATED, "S": State.SELECTED,
    }  # fmt: skip
    for state in State:
        why_not = progress(state, *everything).why_not(command, tls=False)
        if state in {allowed[letter] for letter in states}:
            assert why_not is None
        else:
            assert why_not is not None
            assert why_not.condition is Condition.BAD
            assert state.value in why_not.text


@pytest.mark.parametrize(
    ("command", "state"),
    [
        (Login("a", "b"), State.AUTHENTICATED), (Select("x"), State.SELECTED),
        (Examine("x"), State.SELECTED), (Logout(), State.LOGOUT),
        (Close(), State.AUTHENTICATED), (Unselect(), State.AUTHENTICATED),
    ],
    ids=lambda value: getattr(value, "name", None) or name_of(value),
)  # fmt: skip
def test_where_it_leads(command: Any, state: State) -> None:
    for (before, kind), after in IMAP4REV1.table.items():
        if kind is type(command):
            now = progress(before)
            now.granted(command)
            assert now.state is after is state


def test_a_refusal_changes_nothing_but_for_select() -> None:
    now = progress(State.SELECTED)
    states = []
    for command in (Close(), Select("x"), Select("x")):
        now.refused(command)
        states.append(now.state)
    assert states == [State.SELECTED, State.AUTHENTICATED, State.AUTHENTICATED]


def test_which_mailbox_is_selected_and_whether_it_can_be_changed() -> None:
    now = progress(State.AUTHENTICATED)
    now.told(Reply(Condition.OK, "x", Code("READ-ONLY")))
    assert (now.mailbox, now.read_only) == (None, False)
    now.granted(Select("x"), Reply(Condition.OK, "x", Code("READ-ONLY")))
    assert (now.mailbox, now.read_only) == ("x", True)
    now.told(Reply(Condition.OK, "x", Code("READ-WRITE")))
    assert now.read_only is False
    now.told(Reply(Condition.OK, "x", Code("ALERT")))
    now.granted(Examine("y"), Reply(Condition.OK, "x"))
    now.granted(Noop())
    assert (now.mailbox, now.read_only) == ("y", True)
    now.granted(Close())
    assert now.mailbox is None


@pytest.mark.parametrize(
    ("command", "offered", "tls", "words"),
    [
        (StartTls(), ("STARTTLS",), True, "TLS is there"),
        (StartTls(), ("IDLE",), False, "not offered"),
        (StartTls(), (), False, None),
        (Login("a", "b"), ("LOGINDISABLED",), False, "disabled"),
        (Login("a", "b"), (), False, None),
        (Authenticate("PLAIN", b""), ("AUTH=PLAIN",), False, "SASL-IR"),
        (Authenticate("PLAIN", b""), ("AUTH=PLAIN", "SASL-IR"), False, None),
        (Authenticate("PLAIN"), ("IDLE",), False, "mechanism"),
        (Authenticate("PLAIN"), (), False, None),
        (Id(), (), False, "CAPABILITY must tell"),
        (Id(), ("IDLE",), False, "ID is not offered"),
    ],
)
def test_what_more_than_the_state_decides(
    command: Any, offered: tuple[str, ...], tls: bool, words: str | None
) -> None:
    why_not = progress(State.NOT_AUTHENTICATED, *offered).why_not(command, tls=tls)
    if words is None:
        assert why_not is None
    else:
        assert why_not is not None
        assert words in why_not.text


# -- several commands at once ----------------------------------------------------


def together(*commands: Any) -> str | None:
    """Why they cannot be sent without waiting, if they cannot."""
    for i, later in enumerate(commands):
        for earlier in commands[:i]:
            why = conflict(earlier, later)
            if why is not None:
                return why
    return None


@pytest.mark.parametrize(
    "commands",
    [
        (Fetch(ONE, "FLAGS"), Store(TWO, Change.ADD, ("x",)), SEARCH, CHECK),
        (STORE, COPY, EXPUNGE),
    ],
)
def test_what_may_go_together_by_the_examples_of_rfc_3501(commands: Any) -> None:
    assert together(*commands) is None


@pytest.mark.parametrize(
    "commands",
    [
        (Fetch(ONE, "ENVELOPE"), NOOP, STORE),
        (STORE, COPY, Fetch(ONE, "ENVELOPE")),
        (COPY, COPY),
        (CHECK, FETCH),
        (UID_SEARCH, BY_NUMBER),
        (UID_FETCH, Fetch(ONE, "UID")),
    ],
)
def test_what_must_not_by_its_examples_and_erratum_261(commands: Any) -> None:
    assert "EXPUNGE may come" in str(together(*commands))


@pytest.mark.parametrize(
    ("earlier", "later", "words"),
    [
        (FETCH, STORE, "flags of the same"),
        (STORE, FETCH, "flags of the same"),
        (STORE, STORE, "flags of the same"),
        (STORE, Fetch(TWO, "FLAGS"), None),
        (STORE, Fetch(ONE, "UID"), None),
        (STORE, Fetch(UidSet(2), "FLAGS"), "flags of the same"),
        (
            Store(UidSet("5:*"), Change.ADD, ("\\Seen",)),
            Fetch(UidSet(1), "FLAGS"),
            "flags of the same",
        ),
        (STORE, Fetch(SequenceSet((1, None)), "FLAGS"), "flags of the same"),
        (Fetch(ONE, "BODY[]"), Fetch(ONE, "ALL"), "flags of the same"),
        (Fetch(ONE, "BODY"), Fetch(ONE, "ALL"), None),
        (Fetch(ONE, "BODY.PEEK[]"), Fetch(ONE, "ALL"), None),
        (Fetch(ONE, "RFC822"), Fetch(ONE, "RFC822.TEXT"), "flags of the same"),
        (Fetch(UidSet(1), "BODY[]"), Fetch(UidSet(2), "BODY[]"), None),
        (SEARCH, SEARCH, "look like"),
        (List(), List(), "look like"),
        (List(), Lsub(), None),
        (Create("a"), Select("a"), "which mailboxes"),
        (Create("a"), Create("b"), None),
        (Create("a"), Status("a", "UNSEEN"), "which mailboxes"),
        (Select("a"), UID_FETCH, "which mailbox is selected"),
        (UID_FETCH, Select("a"), "which mailbox is selected"),
        (UID_FETCH, Close(), "which mailbox is selected"),
        (Select("a"), Select("b"), "which mailbox is selected"),
        (Select("a"), List(), None),
        (NOOP, Login("a", "b"), "LOGIN goes alone"),
        (Idle(), NOOP, "IDLE goes alone"),
        (NOOP, NOOP, None),
        (NOOP, Other("XPIG"), None),
    ],
)
def test_what_waits_for_what(earlier: Any, later: Any, words: str | None) -> None:
    why = conflict(earlier, later)
    assert (why is None) if words is None else (words in str(why))


def test_only_commands_by_number_hold_expunge_back() -> None:
    by_number: list[Any] = [FETCH, STORE, SEARCH]
    assert not any(map(may_expunge, by_number))
    for command in (UID_FETCH, UID_SEARCH, COPY, NOOP, EXPUNGE, Select("x")):
        assert may_expunge(command)


def test_numbers_are_found_however_deep_they_are() -> None:
    key: search.Key = search.Messages(ONE)
    for _ in range(20):
        key = ~(search.SEEN & key)
    assert uses_numbers(Search(key, uid=True))
    assert not uses_numbers(Search(~search.SEEN, search.Uid(UidSet(1))))
    assert uses_numbers(COPY)
    assert not uses_numbers(UID_FETCH)


ranges = st.tuples(st.integers(1, 30), st.integers(1, 30))
sets = st.lists(ranges, min_size=1, max_size=4)


@given(sets, sets)
def test_sets_that_overlap_are_found(one: Any, other: Any) -> None:
    def numbers(pairs: Any) -> set[int]:
        return {n for pair in pairs for n in range(min(pair), max(pair) + 1)}

    stores = [Store(UidSet(*pairs), Change.ADD, ("x",)) for pairs in (one, other)]
    clash = conflict(*stores) is not None
    assert clash is bool(numbers(one) & numbers(other))


VARIOUS = [
    FETCH, STORE, SEARCH, COPY, NOOP, EXPUNGE, UID_FETCH, UID_SEARCH, BY_NUMBER,
    Fetch(TWO, "BODY[]"), Store(TWO, Change.ADD, ("x",)), Select("a"), Close(), List(),
    Lsub(), Create("a"), Status("a", "UNSEEN"), Idle(), Append("a", b""), Capability(),
]  # fmt: skip


@given(st.lists(st.sampled_from(VARIOUS), max_size=8), st.sampled_from(VARIOUS))
def test_traffic_knows_what_its_commands_know(earlier: Any, later: Any) -> None:
    traffic = Traffic()
    for tag, command in enumerate([*earlier, NOOP, Idle()]):
        traffic.add(str(tag), command)
    for tag in (len(earlier), len(earlier) + 1):
        traffic.remove(str(tag))
    whys = [conflict(command, later) for command in earlier]
    assert traffic.why_wait(later) == next((why for why in whys if why), None)


def test_names_and_verdicts() -> None:
    assert name_of(UID_FETCH) == "UID FETCH"
    assert name_of(Other("xpig")) == "XPIG"
    assert Verdict()
    assert not Verdict(wait="x")
    assert not Verdict(no="x")
    assert effects(Capability())[0].value == 0


def test_a_dialect_can_have_more_verbs() -> None:
    class GetQuota(Noop):
        verb = b"GETQUOTA"

    more = IMAP4REV1.extended({(State.AUTHENTICATED, GetQuota): State.AUTHENTICATED})
    assert more.verbs[b"GETQUOTA"] is GetQuota
    assert b"GETQUOTA" not in IMAP4REV1.verbs
    assert b"UID FETCH" in IMAP4REV1.verbs


def test_limits_are_positive() -> None:
    with pytest.raises(ValueError, match="append"):
        Limits(append=0)
