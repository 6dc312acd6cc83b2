"""IMAP on the store: what to say to each event, and no I/O."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Any, Final, TypeAlias

from .. import imap
from .._command import Bad, Chunk, End
from ..imap import Condition, FetchData, Item, Reply, SequenceSet, UidSet
from ..imap.mailboxes import NamespaceEntry
from ..imap.names import matcher
from .fetch import Fetched, are_known, items_of, sets_seen
from .folders import DELETED, SEEN, SEPARATOR, Folders, Opened, Refused, Row
from .login import check_password, mechanisms
from .messages import NOWHERE, Origin
from .search import Candidate, matches
from .smtp import SPOOLED
from .store import Store
from .talk import Talk

Said: TypeAlias = Any
# What is said on the way, and the answer; None: it comes later.
Answering: TypeAlias = Generator[Said, None, Reply | None]

#: what a client that is logged in may use
OFFERED: Final = (
    "IMAP4rev1",
    "LITERAL+",
    "SASL-IR",
    "ID",
    "ENABLE",
    "IDLE",
    "NAMESPACE",
    "CHILDREN",
    "UIDPLUS",
    "UNSELECT",
    "MOVE",
    "STARTTLS",
)

FLAGS: Final = ("\\Answered", "\\Flagged", DELETED, SEEN, "\\Draft")
_FLAG: Final = {flag.lower(): flag for flag in FLAGS}
_ALL: Final = SequenceSet((1, None))
_RECENT: Final = "\\Recent"


def ok(text: str, code: Any = None) -> Reply:
    return Reply(Condition.OK, text, code)


def no(text: str, code: Any = None) -> Reply:
    return Reply(Condition.NO, text, code)


WRONG: Final = no("wrong name or password", imap.Code("AUTHENTICATIONFAILED"))


class Imap(Talk):
    """One session on the mailboxes of a user."""

    def __init__(
        self, conn: imap.Server, store: Store, host: str, origin: Origin = NOWHERE
    ) -> None:
        super().__init__(conn, store, host, origin)
        self._conn: imap.Server = conn
        self._folders: Folders | None = None  # of who is logged in
        self._event: Any = None  # the command that is to be answered
        self._idle = False
        self._append: imap.Append | None = None
        self._draft = SpooledTemporaryFile(SPOOLED)  # noqa: SIM115
        # Of the mailbox that is selected:
        self._opened: Opened | None = None
        self._modseq = 0  # what is known of it
        self._uids: frozenset[int] = frozenset()
        self._recent: set[int] = set()  # of those, what no session knew before this

    farewell = Reply(Condition.BYE, "closing down")

    @property
    def admitted(self) -> bool:
        return self._folders is not None

    @property
    def listening(self) -> bool:
        return self._idle

    def greeting(self) -> imap.Greeting:
        known = self._conn.capabilities
        return imap.Greeting(Condition.OK, "mailproto ready", known)

    def close(self) -> None:
        """Let go of a message that was not appended to its end."""
        self._draft.close()

    def stores(self, event: Any) -> bool:
        """Even SELECT may: what was recent is so no more."""
        return isinstance(event, End | imap.Tagged)

    def handle(self, event: Any) -> Iterator[Said]:
        """What to send in answer to *event*, piece by piece."""
        match event:
            case Chunk(data=data):
                self._draft.write(data)
            case Bad(hint=hint):
                self._idle = False
                yield hint
            case imap.Response(data=data):
                yield self._step(data)
            case imap.Cancel():
                yield self._event.answer(Reply(Condition.BAD, "as you like"))
            case _:
                yield from self._answer(event)

    def _answer(self, event: Any) -> Iterator[Said]:
        reply: Reply | None
        try:
            match event:
                case End():
                    reply = self._appended()
                case imap.Done():
                    self._idle = False
                    reply = ok("enough")
                case _:
                    self._event = event
                    answer = _ANSWERS[type(event.command)](self, event.command)
                    said = isinstance(answer, Generator)
                    reply = (yield from answer) if said else answer
        except Refused as refused:
            code = self._missing() if refused.missing else None
            reply = no(str(refused), code)
        if reply is not None:
            yield from self._look()
            yield self._event.answer(reply)

    def _missing(self) -> imap.Code:
        """RFC 3501 6.3.11, 6.4.7: where it helps to create it first; else RFC 5530."""
        helps = isinstance(self._event.command, imap.Append | imap.Copy | imap.Move)
        return imap.Code("TRYCREATE" if helps else "NONEXISTENT")

    def news(self) -> Iterator[Said]:
        """What is to be told to a client that listens."""
        yield from self._look()
        self._conn.send_updates()

    # -- before the log-in -----------------------------------------------------

    def _capability(self, command: imap.Capability) -> Answering:
        yield self._conn.capabilities
        return ok("that is all")

    def _nothing(self, command: Any) -> Reply | None:
        return ok("done")

    def _id(self, command: imap.Id) -> Answering:
        yield imap.IdData((("name", "mailproto"),))
        return ok("nice to meet you")

    def _logout(self, command: imap.Logout) -> Answering:
        self._opened = None  # BYE is the last that is told
        yield Reply(Condition.BYE, "bye")
        return ok("done")

    def _log_in(self, command: imap.Login) -> Reply | None:
        if check_password(self._store, command.user, command.password):
            return self._enter(command.user)
        return WRONG

    def _authenticate(self, command: imap.Authenticate) -> Answering:
        if command.mechanism not in mechanisms(cleartext_refused=False):
            return no("that mechanism is not here")
        yield self._begin_login(command.mechanism, command.initial)
        return None

    def _enter(self, name: str) -> Reply:
        origin = replace(self._origin, login=name, tls=self._conn.tls)
        self._folders = Folders(self._store, name, origin)
        return ok("welcome")

    def _challenge(self, data: bytes) -> Said:
        return imap.Challenge(data)

    def _welcome(self, name: str) -> Said:
        return self._event.answer(self._enter(name))

    def _wrong(self) -> Said:
        return self._event.answer(WRONG)

    @property
    def _mine(self) -> Folders:
        assert self._folders is not None
        return self._folders

    # -- mailboxes -------------------------------------------------------------

    def _select(self, command: imap.Select | imap.Examine) -> Answering:
        self._opened = None
        self._conn.updates = None
        opened = self._mine.open(command.mailbox)
        read_only = isinstance(command, imap.Examine)
        take = self._mine.recent if read_only else self._mine.take_recent
        self._recent = set(take(opened))
        changes = self._mine.changes(opened, 0)
        assert changes is not None  # a mailbox begins with 1
        self._opened, self._modseq = opened, changes.modseq
        self._uids = frozenset(changes.uids)
        self._conn.updates = imap.Updates(changes.uids)
        yield imap.FlagsData(FLAGS)
        yield imap.Recent(len(self._recent))
        for number, uid in enumerate(changes.uids, 1):
            if SEEN not in changes.flags[uid]:
                yield ok("the first", imap.Unseen(number))
                break
        yield ok("these", imap.PermanentFlags(() if read_only else (*FLAGS, "\\*")))
        yield ok("so far", imap.UidNext(opened.uidnext))
        yield ok("these UIDs", imap.UidValidity(opened.uidvalidity))
        return ok("open", imap.Code("READ-ONLY" if read_only else "READ-WRITE"))

    def _create(self, command: imap.Create) -> Reply | None:
        self._mine.create(command.mailbox)
        return ok("done")

    def _delete(self, command: imap.Delete) -> Reply | None:
        self._mine.delete(command.mailbox)
        return ok("done")

    def _rename(self, command: imap.Rename) -> Reply | None:
        self._mine.rename(command.mailbox, command.to)
        return ok("done")

    def _subscribe(self, command: imap.Subscribe) -> Reply | None:
        self._mine.subscribe(command.mailbox)
        return ok("done")

    def _unsubscribe(self, command: imap.Unsubscribe) -> Reply | None:
        self._mine.unsubscribe(command.mailbox)
        return ok("done")

    def _list(self, command: imap.List) -> Answering:
        if not command.pattern:
            yield imap.ListData("", SEPARATOR, ("\\Noselect",))
            return ok("done")
        chosen = matcher(command.reference + command.pattern, SEPARATOR)
        for folder in self._mine.tree():
            if chosen(folder.name):
                flags = ["\\HasChildren" if folder.children else "\\HasNoChildren"]
                if not folder.selectable:
                    flags.append("\\Noselect")
                yield imap.ListData(folder.name, SEPARATOR, tuple(flags))
        return ok("done")

    def _lsub(self, command: imap.Lsub) -> Answering:
        """RFC 3501 6.3.9: what is above a subscribed name counts, for ``%``."""
        chosen = matcher(command.reference + command.pattern, SEPARATOR)
        names = self._mine.subscribed()
        above: dict[str, None] = {}
        for name in names:
            parts = name.split(SEPARATOR)
            for count in range(1, len(parts)):
                above[SEPARATOR.join(parts[:count])] = None
        for name in names:
            if chosen(name):
                yield imap.LsubData(name, SEPARATOR)
        if command.pattern.endswith("%"):
            for name in above:
                if chosen(name) and name not in names:
                    yield imap.LsubData(name, SEPARATOR, ("\\Noselect",))
        return ok("done")

    def _status(self, command: imap.Status) -> Answering:
        status = self._mine.status(command.mailbox)
        known = {
            "MESSAGES": status.messages,
            "RECENT": status.recent,
            "UIDNEXT": status.uidnext,
            "UIDVALIDITY": status.uidvalidity,
            "UNSEEN": status.unseen,
        }
        items = {name: known[name] for name in command.items if name in known}
        if len(items) < len(command.items):
            return Reply(Condition.BAD, "no such status item")
        yield imap.StatusData(command.mailbox, items)
        return ok("done")

    def _namespace(self, command: imap.Namespace) -> Answering:
        yield imap.NamespaceData((NamespaceEntry("", SEPARATOR),))
        return ok("done")

    def _enable(self, command: imap.Enable) -> Answering:
        yield imap.Enabled()
        return ok("done")

    def _idle_on(self, command: imap.Idle) -> Answering:
        yield from self._look()
        self._idle = True
        yield imap.Continue("listen")
        return None

    def _begin_append(self, command: imap.Append) -> Reply | None:
        self._mine.open(command.mailbox)  # or it is refused before it is sent
        self._append = command
        self._draft.close()
        self._draft = SpooledTemporaryFile(SPOOLED)  # noqa: SIM115
        return None

    def _appended(self) -> Reply:
        command = self._append
        assert command is not None
        received = None if command.date is None else command.date.timestamp()
        where = self._mine.append(
            command.mailbox, self._draft, _flags(command.flags), received
        )
        uidvalidity, uid = where
        return ok("it is kept", imap.AppendUid(uidvalidity, UidSet(uid)))

    # -- the selected mailbox --------------------------------------------------

    @property
    def _here(self) -> Opened:
        assert self._opened is not None
        return self._opened

    def _look(self, quiet: Iterable[int] = ()) -> Iterator[Said]:
        """See what became of the mailbox; of the flags of *quiet* nothing is told."""
        updates = self._conn.updates
        if updates is None or self._opened is None:
            return
        try:
            changes = self._mine.changes(self._opened, self._modseq)
        except Refused:  # it was deleted, with all that was in it
            for uid in self._uids:
                updates.expunge(uid)
            self._uids = frozenset()
            return
        if changes is None:
            return
        there = frozenset(changes.uids)
        for uid in self._uids - there:
            updates.expunge(uid)
        fresh = [uid for uid in changes.uids if uid not in self._uids]
        for uid in fresh:
            updates.add(uid)
        for uid in changes.flags.keys() & self._uids - frozenset(quiet):
            updates.flags(uid, self._shown(uid, changes.flags[uid]))
        self._modseq, self._uids = changes.modseq, there
        if fresh:
            take = self._mine.recent if self._conn.read_only else self._mine.take_recent
            self._recent |= take(self._opened) & there
            yield imap.Recent(len(self._recent & there))

    def _shown(self, uid: int, flags: tuple[str, ...]) -> tuple[str, ...]:
        return (*flags, _RECENT) if uid in self._recent else flags

    def _chosen(self, messages: SequenceSet | UidSet) -> list[tuple[int, Row]]:
        """The messages that a command names, and that are there, with their numbers."""
        assert self._conn.updates is not None
        pairs = self._conn.updates.chosen(messages)
        rows = self._mine.rows(self._here, [uid for _, uid in pairs])
        by_uid = {row.uid: row for row in rows}
        return [(number, by_uid[uid]) for number, uid in pairs if uid in by_uid]

    def _close(self, command: imap.Close) -> Reply | None:
        if not self._conn.read_only:
            self._mine.expunge(self._here)
        return self._unselect(command)

    def _unselect(self, command: Any) -> Reply | None:
        self._opened = None
        return ok("closed")

    def _expunge(self, command: imap.Expunge) -> Reply | None:
        if self._conn.read_only:
            return no("the mailbox is read-only")
        uids = None
        if command.messages is not None:
            uids = command.messages.among(sorted(self._uids))
        self._mine.expunge(self._here, uids)
        return ok("done")

    def _search(self, command: imap.Search) -> Answering:
        if command.charset not in (None, "US-ASCII", "UTF-8"):
            return no("not that charset", imap.BadCharset(("US-ASCII", "UTF-8")))
        chosen = self._chosen(_ALL)
        largest = (chosen[-1][0], chosen[-1][1].uid) if chosen else (0, 0)
        found = []
        for number, row in chosen:
            candidate = Candidate(
                number, largest, row, row.uid in self._recent, self._loader(row)
            )
            if all(matches(key, candidate) for key in command.keys):
                found.append(row.uid if command.uid else number)
        yield imap.SearchData(tuple(found))
        return ok("done")

    def _loader(self, row: Row) -> Callable[[], bytes]:
        return lambda: self._mine.data(row) or b""

    def _octets(self, row: Row, start: int, size: int) -> Iterator[bytes]:
        """RFC 3501 9, CHAR8: there is no way to say NUL; as in Dovecot it is 0x80."""
        for piece in self._mine.chunks(row, start, size):
            yield piece.replace(b"\0", b"\x80")

    def _fetch(self, command: imap.Fetch) -> Answering:
        if command.modifiers or not are_known(command.items):
            return Reply(Condition.BAD, "that cannot be fetched here")
        chosen = self._chosen(command.messages)
        seen: dict[int, tuple[str, ...]] = {}
        if sets_seen(command.items) and not self._conn.read_only:
            seen = {
                row.uid: (*row.flags, SEEN)
                for _, row in chosen
                if SEEN not in row.flags
            }
            self._mine.set_flags(self._here, seen)
            yield from self._look(quiet=seen)
        items = items_of(command.items)
        if seen:
            items.append(Item("FLAGS"))
        if command.by_uid:
            items.append(Item("UID"))
        gone = False
        for number, row in chosen:
            flags = self._shown(row.uid, seen.get(row.uid, row.flags))
            told = Fetched(number, row, flags, partial(self._octets, row)).say(items)
            try:
                yield next(told)
            except KeyError:
                gone = True
            else:
                yield from told
        asked = self._conn.updates
        assert asked is not None
        gone |= any(asked.is_gone(uid) for _, uid in asked.chosen(command.messages))
        if gone:
            return no("some of it is gone", imap.Code("EXPUNGEISSUED"))
        return ok("done")

    def _store_flags(self, command: imap.Store) -> Answering:
        if command.modifiers:
            return Reply(Condition.BAD, "that is no condition here")
        if self._conn.read_only:
            return no("the mailbox is read-only")
        chosen = self._chosen(command.messages)
        named = _flags(command.flags)
        after = {
            row.uid: _changed(row.flags, command.change, named) for _, row in chosen
        }
        changed = {
            row.uid: after[row.uid] for _, row in chosen if after[row.uid] != row.flags
        }
        self._mine.set_flags(self._here, changed)
        yield from self._look(quiet=changed)
        if not command.silent:
            for number, row in chosen:
                told: dict[str, Any] = {"UID": row.uid} if command.by_uid else {}
                told["FLAGS"] = self._shown(row.uid, after[row.uid])
                yield FetchData(number, told)
        return ok("done")

    def _copy(self, command: imap.Copy) -> Reply | None:
        uids = [row.uid for _, row in self._chosen(command.messages)]
        copied = self._mine.copy(self._here, uids, command.mailbox)
        return ok("done", _copy_uid(copied.uidvalidity, copied.source, copied.target))

    def _move(self, command: imap.Move) -> Answering:
        """RFC 6851 4.3: where they went is told before they go."""
        if self._conn.read_only:
            return no("the mailbox is read-only")
        uids = [row.uid for _, row in self._chosen(command.messages)]
        copied = self._mine.copy(self._here, uids, command.mailbox, move=True)
        code = _copy_uid(copied.uidvalidity, copied.source, copied.target)
        if code is not None:
            yield ok("there", code)
        return ok("done")


def _copy_uid(
    uidvalidity: int, source: tuple[int, ...], target: tuple[int, ...]
) -> Any:
    if not source:
        return None
    return imap.CopyUid(uidvalidity, UidSet.of(source), UidSet.of(target))


def _flags(flags: Iterable[str]) -> tuple[str, ...]:
    """As they are kept: those of the system in one form, and \\Recent is not ours."""
    kept = (
        _FLAG.get(flag.lower(), flag) for flag in flags if flag.lower() != "\\recent"
    )
    return tuple(dict.fromkeys(kept))


def _changed(
    before: tuple[str, ...], change: imap.Change, named: tuple[str, ...]
) -> tuple[str, ...]:
    match change:
        case imap.Change.ADD:
            return tuple(dict.fromkeys(before + named))
        case imap.Change.REMOVE:
            gone = {flag.lower() for flag in named}
            return tuple(flag for flag in before if flag.lower() not in gone)
    return named


_ANSWERS: Final[Mapping[type[Any], Callable[[Imap, Any], Any]]] = {
    imap.Append: Imap._begin_append,
    imap.Authenticate: Imap._authenticate,
    imap.Capability: Imap._capability,
    imap.Check: Imap._nothing,
    imap.Close: Imap._close,
    imap.Copy: Imap._copy,
    imap.Create: Imap._create,
    imap.Delete: Imap._delete,
    imap.Enable: Imap._enable,
    imap.Examine: Imap._select,
    imap.Expunge: Imap._expunge,
    imap.Fetch: Imap._fetch,
    imap.Id: Imap._id,
    imap.Idle: Imap._idle_on,
    imap.List: Imap._list,
    imap.Login: Imap._log_in,
    imap.Logout: Imap._logout,
    imap.Lsub: Imap._lsub,
    imap.Move: Imap._move,
    imap.Namespace: Imap._namespace,
    imap.Noop: Imap._nothing,
    imap.Rename: Imap._rename,
    imap.Search: Imap._search,
    imap.Select: Imap._select,
    imap.StartTls: Imap._nothing,
    imap.Status: Imap._status,
    imap.Store: Imap._store_flags,
    imap.Subscribe: Imap._subscribe,
    imap.Unselect: Imap._unselect,
    imap.Unsubscribe: Imap._unsubscribe,
}
