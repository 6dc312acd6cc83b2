"""A server that is killed while it works keeps all that it promised, and nothing twice.

A ledger has what was asked for and what was answered.  After each life the mailboxes
are compared with it: what was answered is so; what was only asked for may be so or not,
and from then on is what it was found to be.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from mailproto import RemoteProtocolError, Security, imap, pop3, smtp
from mailproto.asyncio import Session, connect
from mailproto.imap import Change, UidSet
from mailproto.smtp import LMTP
from tests.embedded.victim import PASSWORD, USERS

LIVES = 100
MOST = 30  # messages that a mailbox has before some are deleted
SIZES = (10, 10, 10, 10, 10_000, 100_000)
CLEARTEXT = Security.CLEARTEXT
DELETED = "\\Deleted"
FLAGS = ("\\Answered", "\\Flagged", "\\Seen", "$Work")


@dataclass
class Box:
    """What is known of the INBOX of a user; messages are known by their numbers."""

    there: set[int] = field(default_factory=set)  # for certain
    offered: set[int] = field(default_factory=set)  # and no answer was heard
    doomed: set[int] = field(default_factory=set)  # to be deleted, and no answer
    gone: set[int] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)  # message -> its unique name
    flags: dict[int, list[frozenset[str]]] = field(default_factory=dict)  # as may be

    def promise(self, number: int) -> None:
        if number not in self.gone:  # another client may have been quicker
            self.there.add(number)

    def delete(self, numbers: set[int]) -> None:
        self.gone |= numbers
        for some in (self.there, self.offered, self.doomed):
            some -= numbers

    def judge(self, found: list[tuple[int, str, frozenset[str]]]) -> None:
        """Compare it with what was *found*: number, unique name, flags of each."""
        numbers = [number for number, _, _ in found]
        assert len(numbers) == len(set(numbers)), "doubled"
        now = set(numbers)
        assert now <= self.there | self.offered, "deleted, and there again"
        assert now >= self.there - self.doomed, "lost"
        for number, name, flags in found:
            assert self.names.setdefault(number, name) == name
            assert flags in self.flags.get(number, [flags])
            self.flags[number] = [flags]
        known = list(self.names.values())
        assert len(known) == len(set(known)), "one name for two messages"
        self.there = now
        self.offered.clear()
        self.doomed.clear()


@dataclass
class World:
    random: Random
    boxes: dict[str, Box] = field(
        default_factory=lambda: {user: Box() for user in USERS}
    )
    last: int = 0
    answered: int = 0  # messages, deletions and flags
    host: str = ""
    ports: dict[str, int] = field(default_factory=dict)

    def message(self) -> tuple[int, bytes]:
        self.last += 1
        text = b"x" * self.random.choice(SIZES)
        return self.last, b"Subject: %d\r\n\r\n%s\r\n" % (self.last, text)

    async def connect(self, conn: Any, service: str) -> Session[Any]:
        return await connect(conn, self.host, self.ports[service])

    # -- those who work ----------------------------------------------------------

    async def send(self) -> None:
        async with await self.connect(smtp.Client(CLEARTEXT), "smtp") as session:
            while True:
                await self.send_one(session)

    async def send_locally(self) -> None:
        conn = smtp.Client(CLEARTEXT, dialect=LMTP)
        async with await self.connect(conn, "lmtp") as session:
            while True:
                await self.send_one(session)

    async def send_one(self, session: Session[smtp.Client]) -> None:
        """To Ann, to Bob, or to both."""
        number, message = self.message()
        users = self.random.sample(USERS, self.random.randint(1, len(USERS)))
        for user in users:
            self.boxes[user].offered.add(number)
        to = [f"{user}@example.org" for user in users]
        sent = await session.run(smtp.send_message(session.conn, message, "", to))
        assert list(sent.accepted) == to
        for user in users:
            self.boxes[user].promise(number)
            self.answered += 1

    async def file(self) -> None:
        """Ann appends, flags and expunges."""
        box = self.boxes["ann"]
        async with await self.connect(imap.Client(CLEARTEXT), "imap") as session:
            await session.run(imap.Login("ann", PASSWORD))
            await session.run(imap.Capability())
            await session.run(imap.Select("INBOX"))
            while True:
                if len(box.there & box.names.keys()) > MOST:
                    await self.expunge(session)
                number, message = self.message()
                flags = frozenset(self.random.sample(FLAGS, 2))
                box.offered.add(number)
                box.flags[number] = [flags]
                append = imap.Append("INBOX", message, tuple(flags))
                where = await session.run(append)
                assert where is not None
                box.promise(number)
                box.names[number] = f"{where.uid_validity}.{int(str(where.uids))}"
                self.answered += 1
                await self.flag(session, number)

    async def flag(self, session: Session[imap.Client], number: int) -> None:
        box = self.boxes["ann"]
        flags = frozenset(self.random.sample(FLAGS, 1))
        uid = int(box.names[number].split(".")[1])
        box.flags[number].append(flags)
        store = imap.Store(UidSet(uid), Change.REPLACE, tuple(flags))
        await session.run(store)
        box.flags[number] = [flags]
        self.answered += 1

    async def expunge(self, session: Session[imap.Client]) -> None:
        box = self.boxes["ann"]
        mine = sorted(box.there & box.names.keys())[:MOST]
        uids = UidSet.of(int(box.names[number].split(".")[1]) for number in mine)
        for number in mine:
            old = box.flags[number]
            box.flags[number] = old + [flags | {DELETED} for flags in old]
        await session.run(imap.Store(uids, Change.ADD, (DELETED,)))
        for number in mine:
            box.flags[number] = [flags | {DELETED} for flags in box.flags[number]]
        box.doomed.update(mine)
        await session.run(imap.Expunge(uids))
        box.delete(set(mine))
        self.answered += len(mine)

    async def collect(self) -> None:
        """Bob fetches some of his mail, and deletes what he has."""
        box = self.boxes["bob"]
        while True:
            async with await self.connect(pop3.Client(CLEARTEXT), "pop3") as session:
                await session.run(pop3.User("bob"))
                await session.run(pop3.Pass(PASSWORD))
                names = await session.run(pop3.Uidl())
                some = self.random.sample(names, min(len(names), MOST))
                got = await fetched(session, some)
                await session.run_all([pop3.Dele(each.number) for each in some])
                taken = {number for number, _ in got}
                for number, name in got:
                    assert box.names.setdefault(number, name) == name
                box.doomed.update(taken)
                await session.run(pop3.Quit())
                box.delete(taken)
                self.answered += len(taken)


async def fetched(
    session: Session[pop3.Client], some: list[pop3.UniqueId]
) -> list[tuple[int, str]]:
    """The number in the subject of each of *some* messages, and its unique name."""
    octets = await session.run_all([pop3.Retr(each.number) for each in some])
    return [
        (subject(message), each.uid) for message, each in zip(octets, some, strict=True)
    ]


def subject(message: bytes) -> int:
    head, _, body = message.partition(b"\r\n\r\n")
    assert len(body) in (12, 10_002, 100_002)
    assert body.strip(b"x") == b"\r\n"
    return int(head.removeprefix(b"Subject: "))


# -- the judge ---------------------------------------------------------------------


async def judge(world: World) -> None:
    for user, box in world.boxes.items():
        async with await world.connect(imap.Client(CLEARTEXT), "imap") as session:
            await session.run(imap.Login(user, PASSWORD))
            opened = await session.run(imap.Examine("INBOX"))
            every = imap.Fetch(UidSet("1:*"), "UID", "FLAGS", "BODY.PEEK[]")
            found = []
            for data in await session.run(every):
                octets = data.body()
                assert isinstance(octets, bytes)
                flags = frozenset(data.flags or ()) - {"\\Recent"}
                name = f"{opened.uid_validity}.{data.uid}"
                found.append((subject(octets), name, flags))
            box.judge(found)
            await session.run(imap.Logout())


async def judge_by_pop3(world: World) -> None:
    for user, box in world.boxes.items():
        async with await world.connect(pop3.Client(CLEARTEXT), "pop3") as session:
            await session.run(pop3.User(user))
            await session.run(pop3.Pass(PASSWORD))
            every = await session.run(pop3.Uidl())
            got = await fetched(session, every)
            assert sorted(got) == sorted((n, box.names[n]) for n in box.there)
            await session.run(pop3.Quit())


# -- lives -------------------------------------------------------------------------


async def live(world: World, victim: int, seconds: float) -> None:
    """Judge what is left of the lives before; then work until it is killed."""
    await judge(world)
    workers: list[Callable[[], Awaitable[None]]] = [
        world.send,
        world.send_locally,
        world.file,
        world.collect,
    ]
    tasks = [asyncio.ensure_future(work()) for work in workers]
    await asyncio.wait(tasks, timeout=seconds)
    os.kill(victim, signal.SIGKILL)
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(outcome, RemoteProtocolError | OSError), outcome


@contextmanager
def victims(path: Path) -> Iterator[Callable[[World], int]]:
    """Each call begins another life, and gives its process."""
    command = [sys.executable, "-m", "tests.embedded.victim", str(path)]
    pipe = subprocess.PIPE
    # Who is killed leaves a directory for its certificate.
    env = {**os.environ, "TMPDIR": str(path.parent)}
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, env=env
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told = process.stdout

        def begin(world: World) -> int:
            print(file=process.stdin, flush=True)
            victim, world.host, world.ports = json.loads(told.readline())
            assert isinstance(victim, int)
            return victim

        try:
            yield begin
        finally:
            process.stdin.close()


def test_what_was_promised_outlives_a_hundred_kills(tmp_path: Path) -> None:
    world = World(Random(4711))
    with victims(tmp_path / "mail.db") as begin:
        for _ in range(LIVES):
            victim = begin(world)
            try:
                asyncio.run(live(world, victim, world.random.uniform(0.005, 0.09)))
            except BaseException:
                os.kill(victim, signal.SIGKILL)
                raise
        victim = begin(world)
        asyncio.run(judge(world))
        asyncio.run(judge_by_pop3(world))
        os.kill(victim, signal.SIGKILL)
    assert world.answered > 3 * LIVES
