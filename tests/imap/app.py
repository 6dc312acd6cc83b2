"""A small IMAP server application on our server machine, for tests.

It keeps messages in memory, for several sessions, and does what clients are known to
ask.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mailproto import Bad, Chunk, Closed, End, Security, imap, sasl
from mailproto.imap import Condition, FetchData, Item, Reply, Tagged

PASSWORD = "a secret"
DATE = datetime(2026, 7, 17, 2, 44, 25, tzinfo=UTC)
OFFER = imap.Capabilities(
    "IMAP4rev1", "IDLE", "ID", "LITERAL+", "UIDPLUS", "NAMESPACE", "SASL-IR",
    "AUTH=PLAIN", "AUTH=SCRAM-SHA-256",
)  # fmt: skip


@dataclass
class Message:
    uid: int
    octets: bytes
    flags: tuple[str, ...] = ()


@dataclass
class Mailbox:
    uid_validity: int = 1
    messages: list[Message] = field(default_factory=list)
    next_uid: int = 1

    def find(self, uid: int) -> Message | None:
        return next((m for m in self.messages if m.uid == uid), None)


class Store:
    """Mailboxes, and the sessions that have them open."""

    def __init__(self) -> None:
        self.mailboxes = {"INBOX": Mailbox()}
        self.desks: list[Desk] = []

    def add(self, name: str, octets: bytes, flags: tuple[str, ...] = ()) -> int:
        mailbox = self.mailboxes[name]
        uid, mailbox.next_uid = mailbox.next_uid, mailbox.next_uid + 1
        mailbox.messages.append(Message(uid, octets, flags))
        for updates in self.opened(mailbox):
            updates.add(uid)
        return uid

    def expunge(self, mailbox: Mailbox) -> None:
        for message in list(mailbox.messages):
            if "\\Deleted" in message.flags:
                mailbox.messages.remove(message)
                for updates in self.opened(mailbox):
                    updates.expunge(message.uid)

    def opened(self, mailbox: Mailbox) -> list[imap.Updates]:
        return [
            desk.conn.updates
            for desk in self.desks
            if desk.mailbox is mailbox and desk.conn.updates is not None
        ]


class Desk:
    """What one session of the server does with what it hears."""

    def __init__(self, store: Store, conn: imap.Server) -> None:
        self.store = store
        self.conn = conn
        self.mailbox: Mailbox | None = None
        self.asked: Tagged | None = None
        self.text = bytearray()
        self.exchange: Any = None
        self.idling = False
        store.desks.append(self)
        conn.send(imap.Greeting(Condition.OK, "ready", conn.capabilities))

    def ok(self, text: str = "done", code: Any = None) -> None:
        self.finish(Reply(Condition.OK, text, code))

    def no(self, text: str, code: Any = None) -> None:
        self.finish(Reply(Condition.NO, text, code))

    def finish(self, reply: Reply) -> None:
        assert self.asked is not None
        self.conn.send(self.asked.answer(reply))

    def hear(self, event: Any) -> None:
        match event:
            case Bad(hint=hint):
                self.idling = False
                self.text.clear()
                self.conn.send(hint)
            case Tagged(command=command):
                self.asked = event
                self.obey(command)
            case Chunk(data=data):
                self.text += data
            case End():
                assert self.asked is not None
                self.appended(self.asked.command)
            case imap.Done():
                self.idling = False
                self.ok()
            case imap.Response(data=data):
                self.step(self.exchange.step(data))
            case imap.Cancel():
                self.finish(Reply(Condition.BAD, "cancelled"))

    def obey(self, command: Any) -> None:
        match command:
            case imap.Capability():
                self.conn.send(self.conn.capabilities)
            case imap.Login(password=password) if password != PASSWORD:
                self.no("wrong", imap.Code("AUTHENTICATIONFAILED"))
                return
            case imap.Authenticate(mechanism=mechanism, initial=initial):
                context = sasl.Context()
                self.exchange = sasl.MECHANISMS.serve(mechanism, context)
                self.step(self.exchange.step(initial))
                return
            case imap.Id():
                self.conn.send(imap.IdData(None))
            case imap.List(pattern=pattern):
                self.listed(pattern)
            case imap.Create(mailbox=name):
                self.store.mailboxes[name] = Mailbox()
            case imap.Select(mailbox=name) | imap.Examine(mailbox=name):
                self.select(name)
                return
            case imap.Append(mailbox=name) if name not in self.store.mailboxes:
                self.no("there is none", imap.Code("TRYCREATE"))
                return
            case imap.Append():
                return
            case imap.Idle():
                self.idling = True
                self.conn.send(imap.Continue("idling"))
                return
            case imap.Search() | imap.Fetch() | imap.Store() | imap.Expunge():
                self.on_messages(command)
        self.ok()

    def step(self, step: Any) -> None:
        match step:
            case sasl.Challenge(data=data):
                self.conn.send(imap.Challenge(data))
            case sasl.CheckPassword(password=password):
                self.step(self.exchange.supply(password == PASSWORD))
            case sasl.NeedSecret():
                self.step(self.exchange.supply(PASSWORD))
            case sasl.Accepted():
                self.ok("in", self.conn.offer)
            case _:
                self.no("wrong")

    def listed(self, pattern: str) -> None:
        from mailproto.imap.names import matcher

        matches = matcher(pattern, "/")
        for name in self.store.mailboxes:
            if matches(name):
                self.conn.send(imap.ListData(name, "/"))
        if pattern == "*":
            self.conn.send(imap.ListData("closed", "/", ("\\Noselect",)))
            self.conn.send(imap.ListData("gone", "/"))

    def select(self, name: str) -> None:
        mailbox = self.store.mailboxes.get(name)
        self.mailbox = None
        if mailbox is None:
            self.no("there is none", imap.Code("NONEXISTENT"))
            return
        self.mailbox = mailbox
        self.conn.updates = imap.Updates(m.uid for m in mailbox.messages)
        self.conn.send(imap.FlagsData(("\\Seen", "\\Deleted")))
        self.conn.send(imap.Recent(0))
        for code in (
            imap.UidValidity(mailbox.uid_validity),
            imap.UidNext(mailbox.next_uid),
        ):
            self.conn.send(Reply(Condition.OK, "x", code))
        self.ok()

    def appended(self, command: Any) -> None:
        text = bytes(self.text)
        self.text.clear()
        uid = self.store.add(command.mailbox, text, command.flags)
        validity = self.store.mailboxes[command.mailbox].uid_validity
        self.ok("kept", imap.AppendUid(validity, imap.UidSet(uid)))

    def on_messages(self, command: Any) -> None:
        updates, mailbox = self.conn.updates, self.mailbox
        assert updates is not None
        assert mailbox is not None
        if isinstance(command, imap.Expunge):
            self.store.expunge(mailbox)
            return
        if isinstance(command, imap.Search):
            uids = [m.uid for m in mailbox.messages if updates.number(m.uid)]
            if command.keys and isinstance(command.keys[0], imap.search.Uid):
                uids = command.keys[0].messages.among(uids)
            if not command.uid:
                uids = [updates.number(uid) or 0 for uid in uids]
            self.conn.send(imap.SearchData(tuple(uids)))
            return
        for number, uid in updates.chosen(command.messages):
            message = mailbox.find(uid)
            if message is None:
                continue
            if isinstance(command, imap.Fetch):
                items = {"UID": uid} if command.by_uid else {}
                for item in command.items:
                    items |= self.item(item, message)
                self.tell(number, items)
            else:
                message.flags = tuple({*message.flags, *command.flags})
                for other in self.store.opened(mailbox):
                    other.flags(uid, message.flags)

    def tell(self, number: int, items: dict[str, Any]) -> None:
        """Bodies that are not tiny go in pieces."""
        large = {
            name: value
            for name, value in items.items()
            if isinstance(value, bytes) and len(value) > 600
        }
        sizes = {name: imap.Streamed(len(value)) for name, value in large.items()}
        self.conn.send(FetchData(number, items | sizes))
        for octets in large.values():
            self.conn.send(Chunk(octets[:500]))
            self.conn.send(Chunk(octets[500:]))
            self.conn.send(End())

    def item(self, item: Item, message: Message) -> dict[str, Any]:
        values: dict[str, Any] = {
            "UID": message.uid,
            "FLAGS": message.flags,
            "RFC822.SIZE": len(message.octets),
            "INTERNALDATE": DATE,
            "RFC822": message.octets,
        }
        if item.section is not None:
            return {item.answer: message.octets}
        return {item.name: values[item.name]} if item.name in values else {}

    def close(self) -> None:
        self.store.desks.remove(self)


def make(security: Security) -> imap.Server:
    return imap.Server(security, offer=OFFER)


def sync_handler(store: Store) -> Any:
    def handler(session: Any) -> None:
        desk = Desk(store, session.conn)
        try:
            while True:
                event = session.next_event(0.01 if desk.idling else None)
                if isinstance(event, Closed):
                    return
                desk.conn.send_updates()
                if event is not None:
                    desk.hear(event)
        finally:
            desk.close()

    return handler


def async_handler(store: Store) -> Any:
    async def handler(session: Any) -> None:
        desk = Desk(store, session.conn)
        try:
            while True:
                event = await session.next_event(0.01 if desk.idling else None)
                if isinstance(event, Closed):
                    return
                desk.conn.send_updates()
                if event is not None:
                    desk.hear(event)
        finally:
            desk.close()

    return handler
