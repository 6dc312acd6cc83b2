"""Every command is read as it was written, and says nothing but itself."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailproto import imap, sasl
from mailproto.imap import (
    Append,
    Authenticate,
    Change,
    Copy,
    Create,
    Cursor,
    Delete,
    Done,
    Enable,
    Examine,
    Expunge,
    Fetch,
    GrammarError,
    Id,
    Item,
    List,
    Literal,
    Login,
    Lsub,
    Move,
    Noop,
    Other,
    Parameter,
    Rename,
    Search,
    Section,
    Select,
    SequenceSet,
    Status,
    Store,
    Streamed,
    Subscribe,
    UidSet,
    Unsubscribe,
    read_command,
    search,
)
from mailproto.imap.grammar import inline
from tests.imap.strategies import COMMANDS, VERBS, commands, instances

ALL, ONE = SequenceSet("1:*"), SequenceSet(1)


def read(line: bytes) -> imap.ImapCommand[Any]:
    return read_command(Cursor(line), VERBS)


def written(command: imap.ImapCommand[Any]) -> bytes:
    return inline(command.write())


# -- both ways -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*COMMANDS, Other], ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_what_is_written_is_read(kind: type[Any], data: st.DataObject) -> None:
    command = data.draw(instances(kind))
    again = read(written(command))
    assert again == command
    assert type(again) is kind
    assert hash(again) == hash(command)
    assert written(again) == written(command)


@given(commands)
@example(Login("a\r\nb", "x {3}\r\n"))
def test_nothing_can_be_said_by_an_argument(command: imap.ImapCommand[Any]) -> None:
    """CR, LF, NUL and octets beyond ASCII are in counted data, or nowhere."""
    for fragment in command.write():
        if isinstance(fragment, bytes):
            assert fragment.isascii()
            assert not set(fragment) & set(b"\r\n\0")
        elif isinstance(fragment, Literal):
            assert fragment.binary or b"\0" not in fragment.data


@given(commands)
def test_fragments_that_are_neighbours_are_one(command: imap.ImapCommand[Any]) -> None:
    fragments = command.write()
    assert all(fragments)
    for one, other in pairwise(fragments):
        assert not (isinstance(one, bytes) and isinstance(other, bytes))


@given(st.binary(max_size=60) | st.text('FETCHUIDSEARCH 1:*()"\\{}[]\r\n', max_size=60))
def test_garbage_is_a_value_error(line: bytes | str) -> None:
    data = line.encode() if isinstance(line, str) else line
    try:
        command = read(data)
    except ValueError:
        return
    assert read(written(command)) == command


@given(commands, st.data())
def test_a_changed_octet_makes_a_command_or_a_value_error(
    command: imap.ImapCommand[Any], data: st.DataObject
) -> None:
    line = bytearray(written(command))
    at = data.draw(st.integers(0, len(line) - 1))
    line[at : at + 1] = data.draw(st.binary(max_size=2))
    try:
        again = read(bytes(line))
    except ValueError:
        return
    assert read(written(again)) == again


@given(commands)
def test_a_command_that_is_cut_is_not_another_one(command: Any) -> None:
    """A space at the end, or anything else, is refused."""
    line = written(command)
    for more in (b" ", b"\r\n", b"\0"):
        try:
            other = read(line + more)
        except ValueError:
            continue
        assert other != command  # the octets belong to its last argument


# -- what cannot be --------------------------------------------------------------

EVIL = ["x\r\nb DELETE INBOX", "a\nb", "a\0b", "\ud800", "{3}\r\nabc"]


@pytest.mark.parametrize(
    "make",
    [
        lambda x: Create(x), lambda x: Delete(x), lambda x: Select(x),
        lambda x: Examine(x), lambda x: Subscribe(x), lambda x: Unsubscribe(x),
        lambda x: Rename("a", x), lambda x: Rename(x, "a"), lambda x: List(x),
        lambda x: List("", x), lambda x: Lsub(x, "*"), lambda x: Status(x, "MESSAGES"),
        lambda x: Status("a", x), lambda x: Append(x, b""), lambda x: Copy(ALL, x),
        lambda x: Append("a", b"", (x,)), lambda x: Move(ALL, x),
        lambda x: Store(ALL, Change.ADD, (x,)), lambda x: Store(ALL, x, ()),
        lambda x: Fetch(ALL, x), lambda x: Fetch(ALL, f"BODY[{x}]"),
        lambda x: Fetch(ALL, Item("BODY", Section(text=x))), lambda x: Item(x),
        lambda x: Section((), "HEADER.FIELDS", (x,)), lambda x: Enable(x),
        lambda x: Fetch(ALL, "UID", modifiers=(Parameter(x),)),
        lambda x: Parameter("A", x), lambda x: Parameter("A", (x,)),
        lambda x: SequenceSet(x), lambda x: UidSet(x), lambda x: Fetch(x, "UID"),
        lambda x: Authenticate(x), lambda x: Other(x), lambda x: Other("X", x),
        lambda x: Other("X", ((x,),)), lambda x: Other("X", ((), bytearray(b"x"))),  # type: ignore[arg-type]

        lambda x: Search(x), lambda x: Search(search.ALL, charset=x),
        lambda x: search.Word(x), lambda x: search.Keyword(x),
        lambda x: search.Unkeyword(x),
    ],
)  # fmt: skip
@pytest.mark.parametrize("evil", EVIL)
def test_nothing_gets_in_through_an_argument(make: Any, evil: str) -> None:
    with pytest.raises(ValueError):
        make(evil)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: Login(x, "a"), lambda x: Login("a", x), lambda x: Id.of(name=x),
        lambda x: Id(((x, None),)), lambda x: Search(search.Text(x)),
        lambda x: Search(search.Header("A", x)), lambda x: Search(search.Header(x)),
    ],
)  # fmt: skip
def test_strings_hold_anything_but_nul_and_what_is_no_text(make: Any) -> None:
    for evil in ("a\0b", "\ud800", "\udc41"):
        with pytest.raises(ValueError):
            make(evil)
    for odd in ("x\r\nb DELETE INBOX", "a\nb", "{3}\r\nabc", "\udcff", "é"):
        command = make(odd)
        assert read(written(command)) == command
        assert any(isinstance(part, Literal) for part in command.write())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Append("a", b"a\0b"),
        lambda: Append("a", b"", (), datetime(2020, 1, 1)),
        lambda: Append("a", b"", (), datetime(2020, 1, 1, tzinfo=timezone(
            timedelta(seconds=61)))),
        lambda: Streamed(-1), lambda: Streamed(2**32), lambda: Literal(b"\0"),
        lambda: Status("a"), lambda: Enable(), lambda: Fetch(ALL), lambda: Search(),
        lambda: Fetch(ALL, "ALL", "UID"), lambda: Fetch(ALL, "BODY.PEEK"),
        lambda: Fetch(ALL, "FLAGS[]"), lambda: Fetch(ALL, "UID<0.1>"),
        lambda: Fetch(ALL, "BODY[]<0.0>"), lambda: Fetch(ALL, "BODY[]<0>"),
        lambda: Fetch(ALL, ""), lambda: Fetch(ALL, "UID FLAGS"),
        lambda: Item("BODY", Section(), (-1, 1)), lambda: Item("BODY", None, (0, 1)),
        lambda: Item("BODY", Section(), (0, 2**32)),
        lambda: Item("BODY", Section(), (0, 0)),
        lambda: Section((0,)),
        lambda: Section((1,), "HEADER", ("A",)), lambda: Section((), "MIME"),
        lambda: Section((), "HEADER.FIELDS"), lambda: Section((2**32,)),
        lambda: Section((), "HEADER.FIELDS", ("x" * 600,)),
        lambda: Id(tuple((f"f{i}", None) for i in range(31))),
        lambda: Id((("a", None), ("A", None))), lambda: Id((("é" * 16, None),)),
        lambda: Id((("a", "é" * 513),)), lambda: Parameter("1"), lambda: Parameter(""),
        lambda: Parameter("A", b"1"), lambda: Parameter("A", "x"),
        lambda: Search(search.Text("é"), charset="US-ASCII"),
        lambda: Search(search.ALL, charset=""), lambda: Other("X", ""),
        lambda: Authenticate("PLAIN", b"x" * 12_288), lambda: search.And(),
        lambda: search.any_of(), lambda: search.Larger(-1), lambda: search.Word("NOT"),
        lambda: SequenceSet(), lambda: SequenceSet(0), lambda: UidSet(2**32),
        lambda: SequenceSet(""), lambda: UidSet.of([]), lambda: UidSet.of([0]),
        lambda: Copy("1:*", "a"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_a_value_that_cannot_be(make: Any) -> None:
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize(
    "line",
    [
        b"", b" ", b"FROB", b"UID", b"UID ", b"UID NOOP", b"UID FROB 1", b"NOOP ",
        b"NOOP x", b"LOGIN a", b"LOGIN  a b", b"LOGIN a b ", b"LOGIN a  b",
        b'LOGIN "caf\xc3\xa9" x', b'LOGIN "a', b"LOGIN {1}\r\nab c", b"LOGIN {9}\r\nab",
        b"LOGIN {1}\nab", b"LOGIN ~{1}\r\na b", b"LOGIN {1}\r\n\0 b", b"LOGIN {-1} a",
        b"LOGIN {5-}\r\n", b'LOGIN "\\x" a', b"AUTHENTICATE", b"AUTHENTICATE ",
        b"AUTHENTICATE PLAIN ", b"AUTHENTICATE PLAIN a=b", b"AUTHENTICATE \xff",
        b"AUTHENTICATE PLAIN x y", b"SELECT", b"SELECT a b", b"SELECT a (",
        b"SELECT a ()", b"SELECT a (1)", b"SELECT a (A (", b"SELECT a (A  B)",
        b"SELECT (a)", b"STATUS a", b"STATUS a ()", b"STATUS a (A", b"STATUS a A",
        b"LIST a", b'LIST "" (a)', b"LIST a b c", b"APPEND a", b"APPEND a b",
        b'APPEND a "x" {1}\r\na', b"APPEND a (\\Seen)", b"APPEND a {1}\r\nab",
        b'APPEND a "7-Feb-1994 21:52:25 -0800" {1}\r\na',
        b'APPEND a "07-Foo-1994 21:52:25 -0800" {1}\r\na',
        b'APPEND a "31-Feb-1994 21:52:25 -0800" {1}\r\na',
        b'APPEND a "01-Feb-1994 21:52:25 -2400" {1}\r\na',
        b'APPEND a "01-Feb-1994 21:52:25 -0060" {1}\r\na',
        b"FETCH", b"FETCH 1", b"FETCH 0 UID", b"FETCH 1:0 UID", b"FETCH 1, UID",
        b"FETCH 4294967296 UID", b"FETCH 01 UID", b"FETCH 1:2:3 UID", b"FETCH x UID",
        b"FETCH 1 ()", b"FETCH 1 (ALL)", b"FETCH 1 (ALL FLAGS)", b"FETCH 1 ALL FLAGS",
        b"FETCH 1 (UID", b"FETCH 1 BODY[MIME]", b"FETCH 1 BODY[0]", b"FETCH 1 BODY[1.]",
        b"FETCH 1 BODY[.1]", b"FETCH 1 BODY[1TEXT]", b"FETCH 1 BODY[TEXT",
        b"FETCH 1 BODY[TEXT (a)]", b"FETCH 1 BODY[HEADER.FIELDS]",
        b"FETCH 1 BODY[HEADER.FIELDS ()]", b"FETCH 1 BODY[HEADER.FIELDS (a]",
        b"FETCH 1 BODY[1HEADER.FIELDS (a)]", b"FETCH 1 BODY[4294967296]",
        b"FETCH 1 BODY[HEADER.FIELDS ({1}\r\n\xff)]", b"FETCH 1 BODY[]<1>",
        b"FETCH 1 BODY[]<4294967296.1>", b"FETCH 1 UID[]", b"FETCH 1 BODY.PEEK",
        b"STORE 1 FLAGS", b"STORE 1 FLAG ()", b"STORE 1 +FLAGS.QUIET ()",
        b"STORE 1 FLAGS (\\)", b"STORE 1 FLAGS (a b", b"STORE 1 FLAGS a  b",
        b"STORE 1 FLAGS (\\*)", b"COPY 1", b"COPY 1 a b", b"UID EXPUNGE",
        b"EXPUNGE 1", b"ID", b"ID (", b'ID ("a")', b'ID ("a" b)', b"ID (a NIL)",
        b'ID ("a" NIL  "b" NIL)', b'ID ("a" NIL "A" NIL)', b"ENABLE", b"ENABLE ",
        b"ENABLE a  b", b"XTRA ", b"XTRA (", b"XTRA )", b"XTRA (a", b"XTRA (a ",
        b"XTRA a  b", b"XTRA {3}", b"XTRA {x}", b"XTRA ~{1}", b"SEARCH", b"SEARCH ",
        b"SEARCH ()",
        b"SEARCH (SEEN", b"SEARCH SEEN ", b"SEARCH OR SEEN", b"SEARCH OR SEEN ",
        b"SEARCH NOT", b"SEARCH FROM", b"SEARCH FROB", b"SEARCH SINCE 1-Foo-1994",
        b"SEARCH SINCE 30-Feb-1994", b'SEARCH SINCE "1-Feb-1994', b"SEARCH SEEN(OLD)",
        b"SEARCH LARGER x", b"SEARCH LARGER 4294967296", b"SEARCH UID 0",
        b"SEARCH KEYWORD \\Seen", b"SEARCH CHARSET", b"SEARCH CHARSET UTF-8",
        b"SEARCH CHARSET US-ASCII TEXT {1}\r\n\xff", b'SEARCH CHARSET "a b" ALL',
        b"SEARCH HEADER a", b"SEARCH (SEEN))", b"SEARCH CHARSET {1}\r\n\r ALL",
    ],
)  # fmt: skip
def test_a_line_that_is_no_command(line: bytes) -> None:
    with pytest.raises(ValueError):
        read(line)


def test_errors_tell_where() -> None:
    with pytest.raises(GrammarError) as error:
        read(b"FETCH 1 (UID BODY[MIME])")
    assert error.value.position == 17
    assert "MIME" in error.value.reason
    with pytest.raises(GrammarError, match=r"\(at octet 8\)"):
        read(b"FETCH 1 (ALL UID)")


# -- what stands on the wire -----------------------------------------------------


@pytest.mark.parametrize(
    ("command", "wire"),
    [
        (Login("SMITH", "SESAME"), b"LOGIN SMITH SESAME"),
        (Login("", "pass]word"), b'LOGIN "" pass]word'),
        (Login("nil", 'a"b\\'), b'LOGIN "nil" "a\\"b\\\\"'),
        (Login("é", "b"), b"LOGIN {2}\r\n\xc3\xa9 b"),
        (Login("a", "x" * 513), b"LOGIN a {513}\r\n" + b"x" * 513),
        (Authenticate("plain", b""), b"AUTHENTICATE PLAIN ="),
        (Authenticate("PLAIN", b"\0a\0b"), b"AUTHENTICATE PLAIN AGEAYg=="),
        (Select("inbox"), b"SELECT INBOX"),
        (Select("日本語"), b"SELECT &ZeVnLIqe-"),
        (Select("R&D x"), b'SELECT "R&-D x"'),
        (Select("a", (Parameter("condstore"),)), b"SELECT a (CONDSTORE)"),
        (
            Create("a", (Parameter("use", ("\\Drafts", "\\Sent")),)),
            b"CREATE a (USE (\\Drafts \\Sent))",
        ),
        (List("", "*"), b'LIST "" *'),
        (Lsub("#news.", "comp.mail.%"), b"LSUB #news. comp.mail.%"),
        (List("~/Mail/", "a b*"), b'LIST ~/Mail/ "a b*"'),
        (List("", "nil"), b'LIST "" "nil"'),
        (Status("a", "uidnext", "X"), b"STATUS a (UIDNEXT X)"),
        (
            Append("a", b"xyz", ("\\seen", "$x"), datetime(1994, 2, 7, 21, tzinfo=UTC)),
            b'APPEND a (\\Seen $x) " 7-Feb-1994 21:00:00 +0000" {3}\r\nxyz',
        ),
        (Expunge(), b"EXPUNGE"),
        (Expunge(UidSet("3:*")), b"UID EXPUNGE 3:*"),
        (Fetch(ALL, "fast"), b"FETCH 1:* FAST"),
        (
            Fetch(UidSet(4), "UID", "body.peek[1.mime]"),
            b"UID FETCH 4 (UID BODY.PEEK[1.MIME])",
        ),
        (
            Fetch(ALL, Item("BODY", Section((), "HEADER.FIELDS", ("date", "x y")),
                            (0, 9))),
            b'FETCH 1:* BODY[HEADER.FIELDS (DATE "X Y")]<0.9>',
        ),
        (
            Fetch(UidSet("1:*"), "FLAGS", modifiers=(
                Parameter("CHANGEDSINCE", "12345"), Parameter("VANISHED"))),
            b"UID FETCH 1:* FLAGS (CHANGEDSINCE 12345 VANISHED)",
        ),
        (Store(ALL, Change.ADD, ("\\deleted",)), b"STORE 1:* +FLAGS (\\Deleted)"),
        (
            Store(UidSet(6), Change.REMOVE, (), True, (
                Parameter("UNCHANGEDSINCE", "1"),)),
            b"UID STORE 6 (UNCHANGEDSINCE 1) -FLAGS.SILENT ()",
        ),
        (Copy(SequenceSet("2:4"), "MEETING"), b"COPY 2:4 MEETING"),
        (Move(UidSet("42:69"), "foo"), b"UID MOVE 42:69 foo"),
        (Id(), b"ID NIL"),
        (Id(()), b"ID ()"),
        (Id.of(name="sodr", os=None), b'ID ("name" "sodr" "os" NIL)'),
        (Enable("condstore", "X-a"), b"ENABLE CONDSTORE X-A"),
        (Other("xtra"), b"XTRA"),
        (
            Other("xtra", "1:*", b"a b", ("\\Seen", (), (b"\r\n",)), b"\0"),
            b'XTRA 1:* "a b" (\\Seen () ({2}\r\n\r\n)) ~{1}\r\n\0',
        ),
        (Search(search.SEEN, uid=True), b"UID SEARCH SEEN"),
        (Search(search.Text("é")), b"SEARCH CHARSET UTF-8 TEXT {2}\r\n\xc3\xa9"),
        (Search(search.ALL, charset="utf-8"), b"SEARCH CHARSET UTF-8 ALL"),
    ],
    ids=lambda given: given.decode("latin-1")[:20] if isinstance(given, bytes) else "",
)  # fmt: skip
def test_what_stands_on_the_wire(command: imap.ImapCommand[Any], wire: bytes) -> None:
    assert written(command) == wire
    assert read(wire) == command
    assert command.by_uid == wire.startswith(b"UID ")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"noop", Noop()),
        (b"SeLECT {5}\r\ninbox", Select("INBOX")),
        (b"LOGIN {1+}\r\na {2}\r\nbc", Login("a", "bc")),
        (b"FETCH *:4,5:7 flags", Fetch(SequenceSet((4, None), (5, 7)), "FLAGS")),
        (b"FETCH 1 (uid)", Fetch(SequenceSet(1), "UID")),
        (
            b'FETCH 1 BODY[1.HEADER.FIELDS (X {3}\r\na b "q q")]',
            Fetch(SequenceSet(1), Item("BODY", Section(
                (1,), "HEADER.FIELDS", ("X", "A B", "Q Q")))),
        ),
        (b"FETCH 1 (%b)" % b" ".join([b"UID"] * 82), Fetch(ONE, *["UID"] * 82)),
        (
            b"uid store 5 flags.silent a b",
            Store(UidSet(5), Change.REPLACE, ("a", "b"), True),
        ),
        (b"append x () {0+}\r\n", Append("x", b"")),
        (b"SELECT x (A 1 B 2:*,5 C (x))", Select("x", (
            Parameter("A", "1"), Parameter("B", "2:*,5"), Parameter("C", ("x",))))),
        (b"STATUS inbox (messages)", Status("INBOX", "MESSAGES")),
        (b"id nil", Id()),
    ],
)  # fmt: skip
def test_what_we_would_write_otherwise(line: bytes, command: Any) -> None:
    assert read(line) == command


def test_strings_that_no_text_gives() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        Login("\udcc3\udca9", "")  # é, if it were written


def test_uid_sort_is_other() -> None:
    verbs = imap.verbs_of(Noop) | {b"UID SORT": Other}
    command = read_command(Cursor(b"uid sort (DATE) UTF-8 ALL"), verbs)
    assert command == Other("UID", "SORT", ("DATE",), "UTF-8", "ALL")


def test_lists_in_lists_have_a_limit() -> None:
    deep = b"XTRA " + b"(" * 100 + b")" * 100
    assert written(read(deep)) == deep
    for depth in (101, 100_000):
        with pytest.raises(ValueError, match="100 deep"):
            read(b"XTRA " + b"(" * depth + b"a" + b")" * depth)
    token: Any = "a"
    for _ in range(100):
        token = (token,)
    Other("X", token)
    with pytest.raises(ValueError, match="100 deep"):
        Other("X", (token,))


@pytest.mark.parametrize(
    "line",
    [
        b"STORE 1 FLAGS " + b" ".join([b"a"] * 30_000),
        b"STORE 1 FLAGS (%b)" % b" ".join([b"a"] * 30_000),
        b"FETCH %b UID" % b",".join([b"1:*"] * 30_000),
        b"FETCH 1 (%b)" % b" ".join([b"BODY[1]"] * 30_000),
        b"FETCH 1 BODY[%b]" % b".".join([b"1"] * 30_000),
        b"FETCH 1 BODY[HEADER.FIELDS (%b)]" % b" ".join([b"a"] * 30_000),
        b"SEARCH " + b" ".join([b"SEEN"] * 30_000),
        b"SEARCH (%b)" % b" ".join([b"(SEEN)"] * 30_000),
        b"SEARCH " + b" ".join([b"NOT NOT OR SEEN 1"] * 20_000),
        b"STATUS a (%b)" % b" ".join([b"a"] * 30_000),
        b"ENABLE " + b" ".join([b"a"] * 30_000),
        b"XTRA " + b" ".join([b"(a)"] * 30_000),
        b'LOGIN a "%b"' % (b'\\"' * 30_000),
        b'SELECT "%b"' % (b"&AOk-&-" * 30_000),
    ],
    ids=lambda line: line[:20].decode(),
)  # fmt: skip
def test_long_commands_take_linear_time(line: bytes) -> None:
    """A quadratic way through any of them would take minutes."""
    begin = time.perf_counter()
    command = read(line)
    assert read(written(command)) == command
    assert time.perf_counter() - begin < 10


# -- APPEND in chunks ------------------------------------------------------------


def test_a_message_may_be_streamed() -> None:
    command = Append("a", Streamed(310), ("\\Seen",))
    assert command.write() == [b"APPEND a (\\Seen) ", Streamed(310)]
    line = b"APPEND a (\\Seen) {310}\r\n"
    assert read_command(Cursor(line, holes=[len(line)]), VERBS) == command
    assert command.masked() == b"APPEND a (\\Seen) {310}"
    assert Append("a", b"secret").masked() == b"APPEND a {6}"
    with pytest.raises(ValueError, match="not here"):
        inline(command.write())


def test_nothing_else_may_be_streamed() -> None:
    line = b"LOGIN {3}\r\n x"
    with pytest.raises(ValueError, match="streamed"):
        read_command(Cursor(line, holes=[11]), VERBS)


def test_what_id_may_hold() -> None:
    """RFC 2971 3.3: 30 fields, names of 30 octets, values of 1024."""
    fields = [(f"{i:030}", "é" * 512) for i in range(30)]
    command = Id(tuple(fields))
    assert read(written(command)) == command


def test_a_date_is_kept_in_whole_seconds() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone(timedelta(hours=-3.5)))
    command = Append("a", b"", (), moment)
    assert command.date == moment.replace(microsecond=0)
    assert b'" 2-Jan-2026 03:04:05 -0330"' in written(command)


# -- secrets ---------------------------------------------------------------------


def test_secrets_are_not_shown() -> None:
    login = Login("joe", "S3CRET")
    for shown in (repr(login), repr(login.masked())):
        assert "S3CRET" not in shown
        assert "joe" in shown
    assert login.reveals_secret
    auth = Authenticate("PLAIN", b"\0joe\0S3CRET")
    assert "S3CRET" not in repr(auth)
    assert auth.masked() == b"AUTHENTICATE PLAIN ****"
    assert Authenticate("PLAIN").masked() == b"AUTHENTICATE PLAIN"
    assert auth.reveals_secret
    assert not Noop().reveals_secret
    assert Noop().masked() == b"NOOP"
    assert Fetch(ALL, "UID").masked() == b"FETCH 1:* UID"


def test_authenticate_names_its_mechanism() -> None:
    command = Authenticate.using(sasl.Scram("joe", "S3CRET", hash="SHA-256"))
    assert command.mechanism == "SCRAM-SHA-256"
    assert command == Authenticate("scram-sha-256")
    assert not command.reveals_secret
    assert "S3CRET" not in repr(command)


@pytest.mark.parametrize(
    ("command", "extension"),
    [
        (Noop(), None), (imap.StartTls(), "STARTTLS"), (imap.Idle(), "IDLE"),
        (Authenticate("PLAIN"), "AUTH=PLAIN"), (imap.Namespace(), "NAMESPACE"),
        (imap.Unselect(), "UNSELECT"), (Id(), "ID"), (Enable("X"), "ENABLE"),
        (Move(ALL, "a"), "MOVE"), (Expunge(), None), (Expunge(UidSet(1)), "UIDPLUS"),
    ],
)  # fmt: skip
def test_what_must_be_announced(command: Any, extension: str | None) -> None:
    assert command.extension == extension


def test_done_is_a_line() -> None:
    assert Done().write() == b"DONE\r\n"
    assert Done.read(b"done") == Done()
    assert Done().masked() == b"DONE"
    with pytest.raises(ValueError):
        Done.read(b"DONE ")


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_every_command_names_its_rfc(kind: type[Any]) -> None:
    assert (kind.__doc__ or "").startswith("RFC ")
