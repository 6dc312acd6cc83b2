"""POP3: our client against poplib, on the same bytes."""

from __future__ import annotations

import io
import itertools
import poplib
from collections.abc import Iterable, Iterator
from typing import Any

from mailproto import Chunk, Part, Security, pop3
from mailproto._connection import NEED_DATA, Signal

from .corpus import READ_SIZE, message, reads, stuffed
from .harness import Contestant, Row

OK = b"+OK\r\n"


def client() -> pop3.Client:
    conn = pop3.Client(Security.CLEARTEXT, limits=pop3.Limits(in_flight=10_000))
    conn.receive_data(b"+OK\r\n")
    conn.next_event()
    for command, answer in (
        (pop3.Capa(), b"+OK\r\nPIPELINING\r\n.\r\n"),
        (pop3.User("a"), b"+OK\r\n"),
        (pop3.Pass("b"), b"+OK\r\n"),
    ):
        conn.send(command)
        conn.receive_data(answer)
        while not isinstance(conn.next_event(), Signal):
            pass
    return conn


def events(conn: pop3.Client, wire: Iterable[bytes]) -> Iterator[Any]:
    for data in wire:
        conn.receive_data(data)
        while (event := conn.next_event()) is not NEED_DATA:
            yield event


def waiting(command: pop3.Pop3Command[Any], count: int) -> tuple[Any, ...]:
    """A client that has said *command* so often, and its calls."""
    conn = client()
    calls = [conn.send(command) for _ in range(count)]
    conn.data_to_send()
    return conn, calls


def collect(conn: pop3.Client, calls: list[Any], wire: list[bytes]) -> list[Any]:
    """What *calls* are worth, answered by *wire*."""
    turn = 0
    for event in events(conn, wire):
        call = calls[turn]
        call.feed(event)
        turn += call.done
    return [call.result() for call in calls]


def stream(conn: pop3.Client, wire: list[bytes]) -> int:
    """The octets of the messages that come, none of them kept."""
    return sum(
        len(event.value.data)
        for event in events(conn, wire)
        if isinstance(event, Part) and isinstance(event.value, Chunk)
    )


class Peer(poplib.POP3):
    """poplib, with a file in the place of its socket."""

    def __init__(self, wire: bytes) -> None:
        self.file = io.BufferedReader(io.BytesIO(wire), READ_SIZE)
        self._debugging = 0

    def _putcmd(self, line: str) -> None:
        pass


def poplib_retr(wire: bytes, count: int) -> list[bytes]:
    peer = Peer(wire)
    return [b"\r\n".join(peer.retr(1)[1]) + b"\r\n" for _ in range(count)]


def poplib_list(wire: bytes) -> list[tuple[int, int]]:
    lines = Peer(wire).list()[1]
    return [(int(a), int(b)) for a, b in (line.split() for line in lines)]


def poplib_uidl(wire: bytes) -> list[tuple[int, str]]:
    lines = Peer(wire).uidl()[1]
    return [(int(a), b.decode()) for a, b in (line.split() for line in lines)]


def poplib_capa(wire: bytes, count: int) -> list[dict[str, list[str]]]:
    peer = Peer(wire)
    return [peer.capa() for _ in range(count)]


def rows(scale: float) -> list[Row]:
    count = max(4, int(400 * scale))
    bodies = [message(seed, 20_000) for seed in range(count)]
    retr = b"".join(OK + stuffed(body) for body in bodies)
    retr_reads = reads(retr)
    size = max(100, int(50_000 * scale))
    numbers = [(n, 1000 + n * 7919 % 100_000) for n in range(1, size + 1)]
    lists = b"+OK\r\n" + b"".join(b"%d %d\r\n" % pair for pair in numbers) + b".\r\n"
    names = [(n, f"{n * 2654435761 % 2**32:08x}.{n}") for n in range(1, size + 1)]
    uidls = b"+OK\r\n" + b"".join(b"%d %s\r\n" % (n, u.encode()) for n, u in names)
    uidls += b".\r\n"
    list_reads, uidl_reads = reads(lists), reads(uidls)
    words = (b"TOP", b"USER", b"SASL PLAIN SCRAM-SHA-256", b"RESP-CODES", b"PIPELINING",
             b"EXPIRE 60", b"UIDL", b"STLS", b"UTF8 USER", b"LANG")  # fmt: skip
    capas = max(10, int(2000 * scale))
    capa = (b"+OK\r\n" + b"".join(word + b"\r\n" for word in words) + b".\r\n") * capas
    capa_reads = reads(capa)
    return [
        Row("pop3.retr", "20 KB message", count, sum(map(len, bodies)), [
            Contestant("mailproto, streamed", "typed",
                       lambda conn, calls: stream(conn, retr_reads), int,
                       lambda: waiting(pop3.Retr(1), count)),
            Contestant("mailproto, collected", "bytes",
                       lambda conn, calls: collect(conn, calls, retr_reads),
                       lambda got: sum(map(len, got)),
                       lambda: waiting(pop3.Retr(1), count)),
            Contestant("poplib", "bytes", lambda: poplib_retr(retr, count),
                       lambda got: sum(map(len, got))),
        ], {"poplib": 5.5}),
        Row("pop3.list", "line", size, numbers, [
            Contestant("mailproto", "typed",
                       lambda conn, calls: collect(conn, calls, list_reads)[0],
                       lambda got: [(e.number, e.size) for e in got],
                       lambda: waiting(pop3.List(), 1)),
            Contestant("poplib + int", "pairs", lambda: poplib_list(lists), list),
        ], {"poplib + int": 2.3}),
        Row("pop3.uidl", "line", size, names, [
            Contestant("mailproto", "typed",
                       lambda conn, calls: collect(conn, calls, uidl_reads)[0],
                       lambda got: [(e.number, e.uid) for e in got],
                       lambda: waiting(pop3.Uidl(), 1)),
            Contestant("poplib + int", "pairs", lambda: poplib_uidl(uidls), list),
        ], {"poplib + int": 2.0}),
        Row("pop3.capa", "answer", capas, len(words), [
            Contestant("mailproto", "typed",
                       lambda conn, calls: collect(conn, calls, capa_reads),
                       lambda got: len(got[0].lines),
                       lambda: waiting(pop3.Capa(), capas)),
            Contestant("poplib", "dict",
                       lambda: poplib_capa(capa, capas),
                       lambda got: len(got[0])),
        ], {"poplib": 1.7}),
    ]  # fmt: skip


def growing(chunk: int) -> dict[str, Any]:
    """Work whose time must grow with the bytes, and no faster, in *chunk*s of them."""

    def retr(size: int) -> None:
        conn, _ = waiting(pop3.Retr(1), 1)
        stream(conn, reads(OK + stuffed(message(1, size)), chunk))

    def listing(size: int) -> None:
        wire = b"+OK\r\n" + b"1 120\r\n" * (size // 7) + b".\r\n"
        conn, calls = waiting(pop3.List(), 1)
        collect(conn, calls, reads(wire, chunk))

    return {"pop3.retr": retr, "pop3.list": listing}


def streaming() -> dict[str, Any]:
    """Work that must not keep what goes by, whatever its size."""

    def retr(size: int) -> None:
        conn = client()
        conn.send(pop3.Retr(1))
        piece = message(1, READ_SIZE).replace(b"\r\n.", b"\r\n..")
        wire = itertools.repeat(piece, size // len(piece))
        for _ in events(conn, itertools.chain([OK], wire, [b".\r\n"])):
            pass

    return {"pop3.retr": retr}
