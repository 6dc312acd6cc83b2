"""The three adapters under one roof, so that a promise is tested on all of them.

A test is one coroutine over a session.  The sync adapter takes part by a facade that
does its work in threads; servers run in a thread of their own.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from typing import Any

import trio
import trustme

import mailproto.asyncio
import mailproto.sync
import mailproto.trio
from mailproto import Bad, Chunk, Closed, End, Security, pop3
from mailproto.pop3 import Reply

KINDS = ("sync", "asyncio", "trio")
PASSWORD = "a secret"
MESSAGES = {1: b"Subject: one\r\n\r\n.dots\r\n", 2: b"x" * 300_000 + b"\r\n"}


@cache
def authority() -> trustme.CA:
    return trustme.CA()


@cache
def server_tls(name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(name).configure_cert(context)
    return context


@cache
def client_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


# -- a server ----------------------------------------------------------------------


def answer(event: Any) -> list[Any]:
    """What a small POP3 server says to *event*."""
    match event:
        case Bad(hint=hint):
            return [hint]
        case pop3.Capa():
            names = ("PIPELINING", "STLS", "UIDL")
            return [Reply(True), *map(pop3.Capability, names), End()]
        case pop3.Pass(password=password):
            return [Reply(password == PASSWORD)]
        case pop3.Stat():
            return [pop3.StatData(len(MESSAGES), sum(map(len, MESSAGES.values())))]
        case pop3.List():
            lines = [pop3.Listing(n, len(m)) for n, m in MESSAGES.items()]
            return [Reply(True), *lines, End()]
        case pop3.Uidl():
            names_ = [pop3.UniqueId(n, f"uid{n}") for n in MESSAGES]
            return [Reply(True), *names_, End()]
        case pop3.Retr(number=number) if number in MESSAGES:
            return [Reply(True), Chunk(MESSAGES[number]), End()]
        case pop3.Retr():
            return [Reply(False, "no such message")]
    return [Reply(True)]


Answer = Callable[[Any], list[Any]]
MACHINE = {"dialect", "proxied"}


def sync_handler(answer: Answer) -> Callable[[Any], None]:
    def handler(session: Any) -> None:
        session.conn.send(pop3.Greeting("ready"))
        while not isinstance(event := session.next_event(), Closed):
            for value in answer(event):
                session.conn.send(value)

    return handler


def async_handler(answer: Answer) -> Callable[[Any], Awaitable[None]]:
    async def handler(session: Any) -> None:
        session.conn.send(pop3.Greeting("ready"))
        while not isinstance(event := await session.next_event(), Closed):
            for value in answer(event):
                session.conn.send(value)

    return handler


@contextmanager
def serving(
    kind: str,
    security: Security = Security.CLEARTEXT,
    answer: Answer = answer,
    handler: Any = None,
    **options: Any,
) -> Iterator[int]:
    """A server of that *kind*, in a thread; its port.

    *options* are those of the machine, and of ``serve``.
    """
    options.setdefault("tls", server_tls())
    machine = {name: options.pop(name) for name in MACHINE & options.keys()}

    def make() -> pop3.Server:
        return pop3.Server(security, **machine)

    if kind == "sync":
        with mailproto.sync.serve(
            make, handler or sync_handler(answer), **options
        ) as server:
            yield server.port
        return
    module: Any = mailproto.asyncio if kind == "asyncio" else mailproto.trio
    ready, port = threading.Event(), 0
    stop: Callable[[], object] = ready.set

    async def main() -> None:
        nonlocal port, stop
        async with module.serve(
            make, handler or async_handler(answer), **options
        ) as server:
            port = server.port
            if kind == "asyncio":
                over = asyncio.Event()
                call_soon = asyncio.get_running_loop().call_soon_threadsafe
                stop = partial(call_soon, over.set)
                ready.set()
                await over.wait()
            else:
                over_ = trio.Event()
                run_soon = trio.lowlevel.current_trio_token().run_sync_soon
                stop = partial(run_soon, over_.set)
                ready.set()
                await over_.wait()

    thread = threading.Thread(
        target=lambda: asyncio.run(main()) if kind == "asyncio" else trio.run(main)
    )
    thread.start()
    ready.wait()
    try:
        yield port
    finally:
        stop()
        thread.join()


# -- a client ----------------------------------------------------------------------


class Facade:
    """A session of the sync adapter that can be awaited."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._session, name)
        if not callable(value):
            return value

        async def method(*args: Any) -> Any:
            return await asyncio.to_thread(value, *args)

        return method

    async def stream(self, what: Any) -> Any:
        iterator = self._session.stream(what)
        try:
            end = object()
            while (item := await asyncio.to_thread(next, iterator, end)) is not end:
                yield item
        finally:
            iterator.close()

    async def __aenter__(self) -> Facade:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._session.close()


async def connect(kind: str, conn: Any, port: int, **options: Any) -> Any:
    options.setdefault("tls", client_tls())
    options.setdefault("host", "localhost")
    host = options.pop("host")
    if kind == "sync":
        return Facade(
            await asyncio.to_thread(
                lambda: mailproto.sync.connect(conn, host, port, **options)
            )
        )
    options.pop("timeout", None)
    module: Any = mailproto.asyncio if kind == "asyncio" else mailproto.trio
    return await module.connect(conn, host, port, **options)


def play(kind: str, scenario: Callable[[], Awaitable[Any]]) -> Any:
    """Run *scenario* in the loop that belongs to *kind*."""

    async def main() -> Any:
        return await scenario()

    return trio.run(main) if kind == "trio" else asyncio.run(main())


# -- an attacker -------------------------------------------------------------------


@contextmanager
def raw_server(serve_one: Callable[[Any], None]) -> Iterator[int]:
    """A socket that *serve_one* serves by hand, in a thread; its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)

    def main() -> None:
        with suppress(OSError):
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(20)
                serve_one(sock)

    thread = threading.Thread(target=main)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join()
