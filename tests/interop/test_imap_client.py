"""Our client against Debian's Dovecot, through each of the adapters."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from hashlib import sha256
from itertools import cycle
from typing import Any
from urllib.parse import unquote

import pytest

from mailproto import Chunk, CommandFailed, LocalProtocolError, Security, imap, sasl
from mailproto.imap import IMAP4REV1, Change, SequenceSet, UidSet, search
from mailproto.imap.envelope import Address
from mailproto.imap.structure import BodyPart, Multipart, Structure
from tests.adapters import KINDS, connect, play
from tests.interop.dovecot import Dovecot
from tests.messages import MESSAGES, ODD, STRUCTURED

pytestmark = pytest.mark.interop
each = pytest.mark.parametrize("kind", KINDS)

SECURITIES = (Security.STARTTLS, Security.IMPLICIT)
ALL = SequenceSet("1:*")
PLAIN, EMPTY = MESSAGES["plain"], MESSAGES["empty body"]
# Of the odd ones those that Dovecot hands out as they are.
ODD_ONES = (
    "only CRLF",
    "no header",
    "only a header",
    "line of 100000",
    "no final CRLF",
    "no final CRLF, dot",
)
MAILBOX = {**MESSAGES, **STRUCTURED, **{name: ODD[name] for name in ODD_ONES}}


def digest(message: bytes | bytearray) -> str:
    return sha256(message).hexdigest()


DIGESTS = [digest(message) for message in MAILBOX.values()]


@pytest.fixture
def full(dovecot: Dovecot) -> Dovecot:
    for message in MAILBOX.values():
        dovecot.deliver(message)
    return dovecot


async def session_with(kind: str, server: Dovecot, conn: imap.Client) -> Any:
    implicit = conn.security is Security.IMPLICIT
    port = server.imaps_port if implicit else server.imap_port
    return await connect(
        kind, conn, port, host=server.host, tls=server.client_context(), timeout=30
    )


async def logged_in(
    kind: str, server: Dovecot, security: Security = Security.IMPLICIT
) -> Any:
    conn = imap.Client(security, strict=True)
    session = await session_with(kind, server, conn)
    how = await session.run(imap.log_in(conn, server.user, server.password))
    assert how == "SCRAM-SHA-256"
    return session


# -- log in ------------------------------------------------------------------------

LOG_INS: dict[str, Callable[[str, str], Any]] = {
    "PLAIN": lambda u, p: imap.Authenticate.using(sasl.Plain(u, p)),
    "LOGIN": lambda u, p: imap.Authenticate.using(sasl.Login(u, p)),
    "CRAM-MD5": lambda u, p: imap.Authenticate.using(sasl.CramMd5(u, p)),
    "SCRAM-SHA-1": lambda u, p: imap.Authenticate.using(sasl.Scram(u, p, "SHA-1")),
    "SCRAM-SHA-256": lambda u, p: imap.Authenticate.using(sasl.Scram(u, p, "SHA-256")),
    "the command": imap.Login,
}


@each
def test_mechanisms(dovecot: Dovecot, kind: str) -> None:
    async def scenario() -> None:
        for name, user in zip(LOG_INS, cycle(dovecot.users), strict=False):
            conn = imap.Client(Security.IMPLICIT, strict=True)
            async with await session_with(kind, dovecot, conn) as session:
                with pytest.raises(CommandFailed) as refused:
                    await session.run(LOG_INS[name](user, "wrong"))
                code = refused.value.answer.code
                assert code == imap.Code("AUTHENTICATIONFAILED"), name
                await session.run(LOG_INS[name](user, dovecot.users[user]))
                assert "IDLE" in (conn.capabilities or ())  # told with the answer
                assert (await session.run(imap.Select("INBOX"))).exists == 0

    play(kind, scenario)


@each
@pytest.mark.parametrize("security", SECURITIES)
def test_a_wrong_password_is_typed(
    dovecot: Dovecot, kind: str, security: Security
) -> None:
    async def scenario() -> None:
        conn = imap.Client(security, strict=True)
        async with await session_with(kind, dovecot, conn) as session:
            with pytest.raises(CommandFailed) as refused:
                await session.run(imap.log_in(conn, dovecot.user, "wrong"))
            assert refused.value.answer.code == imap.Code("AUTHENTICATIONFAILED")

    play(kind, scenario)


@each
@pytest.mark.parametrize("security", [Security.OPTIONAL, Security.CLEARTEXT])
def test_what_needs_tls_is_not_said_without(
    dovecot: Dovecot, kind: str, security: Security
) -> None:
    """Dovecot says before what it would refuse."""
    user, password = dovecot.user, dovecot.password

    async def scenario() -> None:
        conn = imap.Client(security, strict=True)
        async with await session_with(kind, dovecot, conn) as session:
            with pytest.raises(LocalProtocolError, match="LOGIN is disabled"):
                await session.run(imap.Login(user, password))
            plain = imap.Authenticate.using(sasl.Plain(user, password))
            with pytest.raises(LocalProtocolError, match="not offered"):
                await session.run(plain)
            how = await session.run(imap.log_in(conn, user, password))
            assert how == "SCRAM-SHA-256"

    play(kind, scenario)


# -- a tour ------------------------------------------------------------------------


class Tour:
    """Says commands one by one, and remembers which verbs they were."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.verbs: set[bytes] = set()

    async def say(self, command: imap.ImapCommand[Any]) -> Any:
        uid = b"UID " if command.by_uid else b""
        self.verbs.add(uid + command.verb)
        return await self._session.run(command)

    async def refused(self, command: imap.ImapCommand[Any]) -> Any:
        with pytest.raises(CommandFailed) as refused:
            await self.say(command)
        return refused.value.answer


@each
def test_a_tour_of_every_command(dovecot: Dovecot, kind: str) -> None:
    async def scenario() -> None:
        conn = imap.Client(Security.STARTTLS, strict=True)
        async with await session_with(kind, dovecot, conn) as session:
            tour = Tour(session)
            await enter(tour, dovecot)
            await go_through_mailboxes(tour)
            await go_through_messages(tour)
            await go_through_extensions(tour, session)
            await tour.say(imap.Logout())
            assert conn.state is imap.State.LOGOUT
            # AUTHENTICATE is what the log-ins above are about.
            assert tour.verbs == IMAP4REV1.verbs.keys() - {b"AUTHENTICATE"}

    play(kind, scenario)


async def enter(tour: Tour, server: Dovecot) -> None:
    before = await tour.say(imap.Capability())
    assert "STARTTLS" in before
    assert "LOGINDISABLED" in before
    assert (await tour.say(imap.Id.of(name="mailproto"))).get("name") == "Dovecot"
    assert (await tour.say(imap.Noop())).ok
    assert (await tour.say(imap.StartTls())).ok
    after = await tour.say(imap.Capability())
    assert "LOGINDISABLED" not in after
    assert after.sasl == ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")
    assert (await tour.say(imap.Login(server.user, server.password))).ok


async def go_through_mailboxes(tour: Tour) -> None:
    spaces = await tour.say(imap.Namespace())
    assert [(space.prefix, space.delimiter) for space in spaces.personal] == [("", "/")]
    [root] = await tour.say(imap.List("", ""))
    assert (root.mailbox, root.delimiter) == ("", "/")
    for name in ("Grüße", "Grüße/2024", 'quote " and \\ &-', "Old"):
        await tour.say(imap.Create(name))
    names = {entry.mailbox for entry in await tour.say(imap.List())}
    assert names == {"INBOX", "Grüße", "Grüße/2024", 'quote " and \\ &-', "Old"}
    [entry] = await tour.say(imap.List("", "Gr%"))
    assert entry.has("\\HasChildren")
    await tour.say(imap.Rename("Old", "New"))
    assert (await tour.refused(imap.Select("Old"))).condition is imap.Condition.NO
    assert (await tour.refused(imap.Delete("Old"))).code == imap.Code("NONEXISTENT")
    assert (await tour.refused(imap.Create("New"))).code == imap.Code("ALREADYEXISTS")
    await tour.say(imap.Subscribe("Grüße/2024"))
    await tour.say(imap.Subscribe("New"))
    await tour.say(imap.Unsubscribe("New"))
    [subscribed] = await tour.say(imap.Lsub())
    assert subscribed.mailbox == "Grüße/2024"
    await tour.say(imap.Delete("New"))
    names = {entry.mailbox for entry in await tour.say(imap.List("", "*"))}
    assert "New" not in names


WHEN = datetime(2024, 5, 14, 9, 26, 53, tzinfo=UTC)


async def go_through_messages(tour: Tour) -> None:
    assert (await tour.say(imap.Select("INBOX"))).exists == 0
    for message in (PLAIN, EMPTY, MESSAGES["8-bit text"]):
        added = await tour.say(
            imap.Append("INBOX", message, ("\\Seen", "$Label1"), WHEN)
        )
        assert added is not None
    status = await tour.say(imap.Status("Grüße", "MESSAGES", "UIDNEXT", "UNSEEN"))
    assert dict(status.items) == {"MESSAGES": 0, "UIDNEXT": 1, "UNSEEN": 0}
    await tour.say(imap.Check())
    first, *_ = await tour.say(
        imap.Fetch(ALL, "UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]")
    )
    assert first.flags is not None
    assert {"\\Seen", "$Label1"} <= set(first.flags)
    assert (first.date, first.size, first.body()) == (WHEN, len(PLAIN), PLAIN)
    [data] = await tour.say(imap.Fetch(UidSet(first.uid), "BODY[HEADER.FIELDS (TO)]"))
    line = b"To: Charles Babbage <charles@receiver.example>\r\n\r\n"
    assert data.body("HEADER.FIELDS (TO)") == line
    [data] = await tour.say(imap.Fetch(SequenceSet(1), "BODY.PEEK[TEXT]<5.8>"))
    assert data.body("TEXT", 5) == b"Charles,"
    await go_through_flags(tour)
    await go_through_searches(tour)
    copied = await tour.say(imap.Copy(SequenceSet("1:2"), "Grüße"))
    assert list(copied.target.numbers()) == [1, 2]
    copied = await tour.say(imap.Copy(UidSet(3), "Grüße"))
    assert list(copied.pairs()) == [(3, 3)]
    missing = await tour.refused(imap.Copy(SequenceSet(1), "nowhere"))
    assert missing.code == imap.Code("TRYCREATE")
    await tour.say(imap.Store(SequenceSet(2), Change.ADD, ("\\Deleted",), silent=True))
    assert await tour.say(imap.Expunge()) == [2]
    read_only = await tour.say(imap.Examine("Grüße"))
    assert read_only.read_only
    assert (read_only.exists, read_only.uid_next) == (3, 4)
    await tour.say(imap.Close())


async def go_through_flags(tour: Tour) -> None:
    [one] = await tour.say(imap.Store(SequenceSet(1), Change.REPLACE, ("\\Draft",)))
    assert set(one.flags or ()) - {"\\Recent"} == {"\\Draft"}
    [one] = await tour.say(imap.Store(UidSet(1), Change.ADD, ("\\Flagged", "odd!")))
    assert set(one.flags or ()) - {"\\Recent"} == {"\\Draft", "\\Flagged", "odd!"}
    silent = imap.Store(SequenceSet(1), Change.REMOVE, ("\\Draft",), silent=True)
    assert await tour.say(silent) == []
    [one] = await tour.say(imap.Fetch(SequenceSet(1), "FLAGS"))
    assert set(one.flags or ()) - {"\\Recent"} == {"\\Flagged", "odd!"}


async def go_through_searches(tour: Tour) -> None:
    day = date(2024, 5, 14)
    matching: dict[search.Key, list[int]] = {
        search.ALL: [1, 2, 3],
        search.FLAGGED: [1],
        ~search.FLAGGED: [2, 3],
        search.FLAGGED | search.Subject("No body"): [1, 2],
        search.From("lovelace") & search.Body("Charles"): [1],
        search.Text("日本語"): [3],
        search.Header("Message-ID", "sender.example"): [1, 2, 3],
        search.Larger(len(PLAIN) - 1) & search.Smaller(len(PLAIN) + 1): [1],
        search.On(day) & search.SentOn(day): [1, 2, 3],
        search.Since(date(2024, 5, 15)): [],
        search.Keyword("$Label1"): [2, 3],
        search.Messages(SequenceSet("2:*")): [2, 3],
        search.Uid(UidSet(3)): [3],
    }
    for key, numbers in matching.items():
        for uid in (False, True):  # they are the same here
            found = await tour.say(imap.Search(key, uid=uid))
            assert list(found) == numbers, key


async def go_through_extensions(tour: Tour, session: Any) -> None:
    enabled = await tour.say(imap.Enable("CONDSTORE"))
    assert enabled.capabilities == ("CONDSTORE",)
    await tour.say(imap.Select("Grüße"))
    await tour.say(imap.Store(UidSet("1:2"), Change.ADD, ("\\Deleted",), silent=True))
    assert await tour.say(imap.Expunge(UidSet(2))) == [2]
    moved = await tour.say(imap.Move(SequenceSet(2), "Grüße/2024"))
    assert list(moved.pairs()) == [(3, 1)]
    moved = await tour.say(imap.Move(UidSet(1), "Grüße/2024"))
    assert list(moved.pairs()) == [(1, 2)]
    call = session.conn.send(imap.Idle())
    session.conn.send(imap.Done())  # it waits for the server's "+"
    tour.verbs.add(call.command.verb)
    await tour.say(imap.Unselect())
    assert session.conn.state is imap.State.AUTHENTICATED
    [one] = await tour.say(imap.List("", "Grüße/%"))
    assert (await tour.say(imap.Status(one.mailbox, "MESSAGES")))["MESSAGES"] == 2


# -- messages ----------------------------------------------------------------------


@each
@pytest.mark.parametrize("security", SECURITIES)
def test_what_is_new_arrives_octet_for_octet(
    full: Dovecot, kind: str, security: Security
) -> None:
    """Twice, and the second time it is what has come in between."""
    assert len(set(DIGESTS)) == len(MAILBOX) >= 60
    marks: dict[str, imap.Mark] = {}

    async def scenario() -> list[str]:
        digests = []
        gathered = bytearray()
        async with await logged_in(kind, full, security) as session:
            async for event in session.stream(imap.fetch_new(marks, batch=7)):
                match event:
                    case imap.Incoming():
                        gathered = bytearray()
                    case Chunk(data=data):
                        gathered += data
                    case imap.Arrived(mailbox=mailbox, mark=mark, flags=flags):
                        digests.append(digest(gathered))
                        marks[mailbox] = mark
                        assert "\\Seen" not in flags
                    case imap.Skipped():
                        pytest.fail(f"{event}")
            await session.run(imap.Logout())
        return digests

    assert play(kind, scenario) == DIGESTS
    assert play(kind, scenario) == []
    full.deliver(PLAIN)
    assert play(kind, scenario) == [digest(PLAIN)]


@each
def test_appended_and_fetched_they_are_the_same(dovecot: Dovecot, kind: str) -> None:
    async def scenario() -> None:
        async with await logged_in(kind, dovecot) as session:
            for message in MAILBOX.values():
                added = await session.run(imap.append("Über/mir", message))
                assert added is not None
            opened = await session.run(imap.Select("Über/mir"))
            assert opened.exists == len(MAILBOX)
            fetched = await session.run(imap.Fetch(ALL, "BODY[]", "RFC822.SIZE"))
            assert [digest(data.body()) for data in fetched] == DIGESTS
            assert [data.size for data in fetched] == [*map(len, MAILBOX.values())]

    play(kind, scenario)


@each
@pytest.mark.parametrize("numbers", [SequenceSet, UidSet])
def test_pipelined(
    full: Dovecot, kind: str, numbers: Callable[[int], SequenceSet | UidSet]
) -> None:
    async def scenario() -> None:
        async with await logged_in(kind, full) as session:
            each_one = map(numbers, range(1, len(MAILBOX) + 1))
            fetches = [imap.Fetch(one, "BODY.PEEK[]") for one in each_one]
            _, *fetched = await session.run_all([imap.Select("INBOX"), *fetches])
            assert [digest(data.body()) for [data] in fetched] == DIGESTS
            found, flags, noop = await session.run_all(
                [imap.Search(search.UNSEEN), imap.Fetch(ALL, "FLAGS"), imap.Noop()]
            )
            assert len(found) == len(flags) == len(MAILBOX)
            assert noop.ok

    play(kind, scenario)


# -- envelope and structure, as the email package sees them ------------------------


def parsed(message: bytes) -> tuple[EmailMessage, Message]:
    """With what it understands, and with the header as it stands."""
    old = message_from_bytes(message, policy=policy.compat32)
    return message_from_bytes(message, policy=policy.default), old


def raw(message: Message, name: str) -> str | None:
    """The field as it stands, but unfolded: for Dovecot a fold is one space."""
    for field, value in message.raw_items():
        if field.lower() == name.lower():
            return re.sub(r"\r\n\s+", " ", decoded(str(value)))
    return None


def decoded(text: str) -> str:
    """As UTF-8 what the email package has kept as surrogates."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def people(message: EmailMessage, name: str) -> list[str]:
    """Groups are ``name:`` and ``;``, as an envelope has them."""
    if message[name] is None:
        return []
    found = []
    for group in message[name].groups:
        inside = [decoded(f"{a.username}@{a.domain}") for a in group.addresses]
        if group.display_name is not None:
            inside = [f"{group.display_name}:", *inside, ";"]
        found += inside
    return found


def told(addresses: tuple[Address, ...]) -> list[str]:
    found = []
    for address in addresses:
        if address.host is None:
            found.append(";" if address.mailbox is None else f"{address.mailbox}:")
        else:
            found.append(str(address))
    return found


@each
def test_envelopes(full: Dovecot, kind: str) -> None:
    async def scenario() -> Any:
        async with await logged_in(kind, full) as session:
            await session.run(imap.Examine("INBOX"))
            return await session.run(imap.Fetch(ALL, "ENVELOPE"))

    for data, name in zip(play(kind, scenario), MAILBOX, strict=True):
        new, old = parsed(MAILBOX[name])
        envelope = data.envelope
        for field in ("subject", "date", "message_id", "in_reply_to"):
            header = field.replace("_", "-")
            assert getattr(envelope, field) == raw(old, header), (name, field)
        for field in ("from_", "to", "cc", "bcc"):
            given = people(new, field.rstrip("_"))
            assert told(getattr(envelope, field)) == given, (name, field)
        for field in ("sender", "reply_to"):  # RFC 3501 7.4.2: or else the author
            given = people(new, field.replace("_", "-")) or people(new, "From")
            assert told(getattr(envelope, field)) == given, (name, field)
        if name == "groups of addresses":
            continue  # Dovecot takes a remark for a name
        assert [decoded_words(each.name) for each in envelope.cc if each.host] == [
            decoded_words(each.display_name) or None
            for value in new.get_all("Cc", [])
            for each in value.addresses
        ], name


def decoded_words(text: str | None) -> str | None:
    """RFC 2047, as ``display_name`` has it."""
    return text and decoded(str(make_header(decode_header(text))))


Shape = tuple[Any, ...]


def shape(part: Structure | None) -> Shape:
    if isinstance(part, Multipart):
        inner = [shape(each) for each in part.parts]
        return (part.media_type, parameters(part.parameters), extra(part), *inner)
    assert isinstance(part, BodyPart)
    inner = [shape(part.body)] if part.body is not None else []
    subject = [part.envelope.subject] if part.envelope is not None else []
    own = (part.encoding.lower(), part.size, part.lines, part.id, part.description)
    given = parameters(part.parameters)
    if part.media_type.startswith("text/"):
        given.setdefault("charset", "us-ascii")
    return (part.media_type, given, extra(part), *own, part.md5, *subject, *inner)


def extra(part: Structure) -> Shape:
    disposition = part.disposition
    if disposition is not None:
        kind = (disposition.type.lower(), parameters(disposition.parameters))
        return (kind, part.language, part.location)
    return (None, part.language, part.location)


def parameters(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """In the last form of their names and values (RFC 2231)."""
    found = {}
    for name, value in given:
        if name.endswith("*"):
            charset, _, octets = value.split("'")
            value = unquote(octets, charset)
        found[name.lower().rstrip("*")] = value
    return found


def expected(part: Message) -> Shape:
    kind = part.get_content_type()
    given = named(part, "content-type")
    if part.get_content_maintype() == "multipart":
        return (kind, given, extra_of(part), *map(expected, inside(part)))
    if part.get_content_maintype() == "text":
        given.setdefault("charset", "us-ascii")
    lines, inner = None, []
    whole = b"\r\n" + part.as_bytes(policy=AS_IT_CAME)  # there may be no header
    octets = whole.partition(b"\r\n\r\n")[2]
    if kind == "message/rfc822":
        [message] = inside(part)
        octets = message.as_bytes(policy=AS_IT_CAME)
        inner = [raw(message, "Subject"), expected(message)]
    if kind == "message/rfc822" or kind.startswith("text/"):
        lines = octets.count(b"\r\n")
    encoding = raw(part, "Content-Transfer-Encoding") or "7bit"
    own = (encoding.lower(), len(octets), lines)
    told = (raw(part, f"Content-{field}") for field in ("ID", "Description", "MD5"))
    return (kind, given, extra_of(part), *own, *told, *inner)


AS_IT_CAME = policy.compat32.clone(linesep="\r\n", mangle_from_=False)


def extra_of(part: Message) -> Shape:
    kind = part.get_content_disposition()
    languages = (raw(part, "Content-Language") or "").split(", ")
    return (
        None if kind is None else (kind, named(part, "content-disposition")),
        tuple(filter(None, languages)),
        raw(part, "Content-Location"),
    )


def named(part: Message, header: str) -> dict[str, str]:
    found: dict[str, str] = {}
    given: list[Any] = part.get_params([], header)
    for name, value in given:
        if isinstance(value, tuple):
            charset, _, octets = value
            value = octets.encode("latin-1").decode(charset or "us-ascii")
        if value and "/" not in name:
            found[name.lower()] = value
    return found


def inside(part: Message) -> Iterator[Message]:
    for inner in part.get_payload():
        assert isinstance(inner, Message)
        yield inner


@each
def test_structures(full: Dovecot, kind: str) -> None:
    async def scenario() -> Any:
        async with await logged_in(kind, full) as session:
            await session.run(imap.Examine("INBOX"))
            return await session.run(imap.Fetch(ALL, "BODYSTRUCTURE"))

    for data, name in zip(play(kind, scenario), MAILBOX, strict=True):
        if name == "unterminated multipart":
            continue  # whether its last line end is part of it, nobody has laid down
        assert shape(data.structure) == expected(parsed(MAILBOX[name])[1]), name


@each
def test_each_part_is_where_the_structure_says(full: Dovecot, kind: str) -> None:
    number = [*MAILBOX].index("nested multiparts") + 1

    async def scenario() -> None:
        async with await logged_in(kind, full) as session:
            await session.run(imap.Examine("INBOX"))
            one = SequenceSet(number)
            [data] = await session.run(imap.Fetch(one, "BODYSTRUCTURE"))
            parts = [
                (".".join(map(str, where)), part)
                for where, part in imap.structure.walk(data.structure)
                if isinstance(part, BodyPart)
            ]
            assert len(parts) == 21
            items = [f"BODY.PEEK[{where}]" for where, _ in parts]
            [data] = await session.run(imap.Fetch(one, *items))
            for where, part in parts:
                assert len(data.body(where)) == part.size
                assert b"na" in data.body(where)

    play(kind, scenario)


# -- as it happens -----------------------------------------------------------------


def by_lmtp(server: Dovecot, message: bytes) -> None:
    with smtplib.LMTP(server.host, server.lmtp_port) as lmtp:
        lmtp.sendmail("ada@sender.example", [server.user], message)


@each
def test_idle_sees_what_lmtp_brings(dovecot: Dovecot, kind: str) -> None:
    async def scenario() -> None:
        async with await logged_in(kind, dovecot) as session:
            await session.run(imap.Select("INBOX"))
            by_lmtp(dovecot, PLAIN)
            seen = []
            async with aclosing(session.stream(imap.idle())) as news:
                async for event in news:
                    if isinstance(event, imap.Exists):
                        seen.append(event.number)
                        if len(seen) == 3:
                            break
                        # IDLE is on now, and only what it tells can come.
                        by_lmtp(dovecot, PLAIN)
            assert seen == [1, 2, 3]
            [first, *_] = await session.run(imap.Fetch(ALL, "BODY.PEEK[]"))
            assert first.body().endswith(PLAIN)
            await session.run(imap.Logout())

    play(kind, scenario)


@each
def test_a_view_follows_what_another_session_does(full: Dovecot, kind: str) -> None:
    async def scenario() -> None:
        async with (
            await logged_in(kind, full) as ours,
            await logged_in(kind, full) as other,
        ):
            await other.run(imap.Select("INBOX"))
            view = imap.MailboxView(await ours.run(imap.Select("INBOX")))
            for data in await ours.run(imap.Fetch(ALL, "UID", "FLAGS")):
                view.apply(data)
            some = UidSet("2:4", 9, 30)
            await other.run(imap.Store(some, Change.ADD, ("\\Deleted",)))
            await other.run(imap.Store(UidSet(7), Change.ADD, ("\\Flagged",)))
            await other.run(imap.Expunge())
            await other.run(imap.Append("INBOX", PLAIN))
            ours.unclaimed.clear()
            await ours.run(imap.Noop())
            for event in ours.unclaimed:
                view.apply(event)
            fetched = await ours.run(imap.Fetch(ALL, "UID", "FLAGS"))
            assert len(fetched) == len(MAILBOX) - 5 + 1
            for data in fetched[:-1]:
                assert view.uid(data.number) == data.uid
                assert set(view.flags(data.number) or ()) == set(data.flags)
            assert view.unknown() == [fetched[-1].number]

    play(kind, scenario)


# -- names -------------------------------------------------------------------------

WORDS = {
    "Latin": "Entwürfe Größe Çöp Ñandú Żółw Œuvre",
    "Greek": "Εισερχόμενα Πρόχειρα Κάδος Αρχείο Ωμέγα Ψυχή",
    "Cyrillic": "Входящие Черновики Корзина Архив Ёлка Їжак",
    "Han and kana": "受信箱 下書き ごみ箱 東京 日本語 台北",
    "Hebrew": "דואר טיוטות אשפה ארכיון שלום ספרים",
}
FOLDERS = [f"{script}/{w}" for script, words in WORDS.items() for w in words.split()]
FOLDERS[2::6] = [f"{name} & 🐈~" for name in FOLDERS[2::6]]


@each
def test_thirty_mailboxes_in_five_scripts(dovecot: Dovecot, kind: str) -> None:
    renamed = [name.replace("/", "/neu ") for name in FOLDERS]

    async def scenario() -> None:
        async with await logged_in(kind, dovecot) as session:

            async def listed() -> set[str]:
                entries = await session.run(imap.List("", "*"))
                return {entry.mailbox for entry in entries if "/" in entry.mailbox}

            assert len(set(FOLDERS)) == 30
            await session.run_all([imap.Create(name) for name in FOLDERS])
            assert await listed() == set(FOLDERS)
            each = await session.run_all([imap.List("", name) for name in FOLDERS])
            assert [entry.mailbox for [entry] in each] == FOLDERS
            pairs = zip(FOLDERS, renamed, strict=True)
            await session.run_all([imap.Rename(old, new) for old, new in pairs])
            assert await listed() == set(renamed)
            await session.run_all([imap.Append(name, PLAIN) for name in renamed])
            asking = [imap.Status(name, "MESSAGES") for name in renamed]
            for name, status in zip(
                renamed, await session.run_all(asking), strict=True
            ):
                assert (status.mailbox, status["MESSAGES"]) == (name, 1)
            await session.run_all([imap.Delete(name) for name in renamed])
            assert await listed() == set()

    play(kind, scenario)
