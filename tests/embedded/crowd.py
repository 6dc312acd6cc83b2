"""Many clients at once, in a process of their own, that judge what they get.

    python -m tests.embedded.crowd HOST SMTP-PORT POP3-PORT IMAP-PORT CLIENTS MESSAGES

Each client sends so many messages, to users "0", "1", ... in turn, and then fetches
those of one of them, by POP3 if its number is odd and by IMAP if it is even.  All are
connected before the first of them says anything.  Prints a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from mailproto import Security, imap, pop3, smtp
from mailproto.asyncio import connect
from mailproto.embedded import MailServer

PASSWORD = "secret"
FILES = 4096  # that a server and its crowd may each have open
BODY = (
    b"It is of no importance what is written here, but there is a bit of it.\r\n" * 14
)
CLEARTEXT = Security.CLEARTEXT


@dataclass
class Crowd:
    host: str
    smtp: int
    pop3: int
    imap: int
    clients: int
    messages: int
    fetched: list[Counter[bytes]] = field(default_factory=list, init=False)

    def message(self, sender: int, number: int) -> bytes:
        return b"Subject: %d.%d\r\n\r\n" % (sender, number) + BODY

    def expected(self, user: int) -> Counter[bytes]:
        return Counter(
            self.message((user - number) % self.clients, number)
            for number in range(self.messages)
        )

    async def send(self, client: int, ready: asyncio.Barrier) -> None:
        conn = smtp.Client(CLEARTEXT)
        async with await connect(conn, self.host, self.smtp) as session:
            await ready.wait()
            for number in range(self.messages):
                to = f"{(client + number) % self.clients}@example.org"
                message = self.message(client, number)
                await session.run(smtp.send_message(conn, message, "", [to]))
            await session.run(smtp.Quit())

    async def fetch(self, client: int, ready: asyncio.Barrier) -> None:
        fetch = self.by_pop3 if client % 2 else self.by_imap
        self.fetched[client].update(await fetch(client, ready))

    async def by_pop3(self, client: int, ready: asyncio.Barrier) -> list[bytes]:
        conn = pop3.Client(CLEARTEXT)
        async with await connect(conn, self.host, self.pop3) as session:
            await ready.wait()
            await session.run(pop3.User(str(client)))
            await session.run(pop3.Pass(PASSWORD))
            count = (await session.run(pop3.Stat())).count
            every = [pop3.Retr(number) for number in range(1, count + 1)]
            got = await session.run_all(every)
            await session.run(pop3.Quit())
        return got

    async def by_imap(self, client: int, ready: asyncio.Barrier) -> list[bytes]:
        conn = imap.Client(CLEARTEXT)
        async with await connect(conn, self.host, self.imap) as session:
            await ready.wait()
            await session.run(imap.Login(str(client), PASSWORD))
            await session.run(imap.Select("INBOX"))
            every = imap.Fetch(imap.SequenceSet("1:*"), "BODY.PEEK[]")
            got = [data.body() for data in await session.run(every)]
            await session.run(imap.Logout())
        return [octets for octets in got if isinstance(octets, bytes)]

    async def run(self) -> dict[str, float]:
        """Seconds for each half, and how many messages were lost and doubled."""
        self.fetched = [Counter() for _ in range(self.clients)]
        told = {}
        for what in (self.send, self.fetch):
            ready = asyncio.Barrier(self.clients)
            began = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for client in range(self.clients):
                    group.create_task(what(client, ready))
            told[what.__name__] = time.perf_counter() - began
        wanted = [self.expected(user) for user in range(self.clients)]
        pairs = list(zip(wanted, self.fetched, strict=True))
        told["lost"] = sum((want - got).total() for want, got in pairs)
        told["doubled"] = sum((got - want).total() for want, got in pairs)
        return told


def allow_files(count: int) -> bool:
    """Whether this process may have so many files open; it asks for it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        most = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most == count
    return True


def meet(
    server: MailServer, clients: int, messages: int, timeout: float | None = None
) -> dict[str, float]:
    """Let a crowd at *server*, which takes passwords in the clear: what it prints."""
    for user in range(clients):
        server.add_user(str(user), PASSWORD)
    ports = [server.ports[name] for name in ("smtp", "pop3", "imap")]
    numbers = map(str, (*ports, clients, messages))
    command = [sys.executable, "-m", "tests.embedded.crowd", server.host, *numbers]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr
    told: dict[str, float] = json.loads(done.stdout)
    return told


if __name__ == "__main__":
    allow_files(FILES)
    host, *numbers = sys.argv[1:]
    print(json.dumps(asyncio.run(Crowd(host, *map(int, numbers)).run())))
