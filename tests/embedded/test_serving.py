"""How the embedded server starts, bears a crowd, and stops."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import pytest

from mailproto.embedded import MailServer
from mailproto.embedded.serving import _unless
from tests.test_adapters import read_line

# Measured on two shared cores: a start 0.017, a stop 0.001, and one with TLS clients
# that do not answer 0.055.
AT_ONCE = 1.0  # seconds, for a machine that has much else to do


def test_it_starts_and_stops_at_once() -> None:
    starts, stops = [], []
    for _ in range(20):
        began = time.perf_counter()
        with MailServer():
            started = time.perf_counter()
        starts.append(started - began)
        stops.append(time.perf_counter() - started)
    assert median(starts) < AT_ONCE
    assert median(stops) < AT_ONCE


def guests(server: MailServer, stack: ExitStack) -> dict[str, socket.socket]:
    """A client of each service that says nothing, but does a handshake."""
    found = {}
    for name, port in server.ports.items():
        sock = socket.create_connection((server.host, port), 20)
        if name.endswith("s"):
            tls = server.client_context()
            sock = tls.wrap_socket(sock, server_hostname="localhost")
        found[name] = stack.enter_context(sock)
        read_line(sock)
    return found


def test_idle_clients_are_told_and_not_waited_for() -> None:
    with ExitStack() as stack:
        server = MailServer()
        server.start()
        told = guests(server, stack)
        unheard = socket.create_connection((server.host, server.ports["imaps"]), 20)
        stack.enter_context(unheard)  # it will never shake hands
        began = time.perf_counter()
        server.stop()
        assert time.perf_counter() - began < AT_ONCE
        for name, sock in told.items():
            with sock.makefile("rb") as file:
                (*_, last) = [b"", *file]
            if name.startswith("imap"):
                assert last.startswith(b"* BYE ")
            elif name.startswith("pop3"):
                assert last == b""
            else:
                assert last.startswith(b"421 4.3.2 ")


def test_what_is_being_answered_will_be() -> None:
    message = b"Subject: x\r\n\r\n" + (b"x" * 998 + b"\r\n") * 20_000
    server = MailServer(cleartext=True)
    server.start()
    try:
        server.add_user("ann", "secret")
        server.deliver(message, to="ann")
        address = (server.host, server.ports["pop3"])
        with socket.create_connection(address, 20) as sock:
            file = sock.makefile("rwb")
            file.write(b"USER ann\r\nPASS secret\r\nRETR 1\r\n")
            file.flush()
            assert [file.readline()[:3] for _ in range(4)] == [b"+OK"] * 4
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            received = file.read()
            stopping.join()
            assert len(received) == len(message) + len(b".\r\n")
    finally:
        server.stop()


# -- in a file ---------------------------------------------------------------------


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[MailServer]:
    server = MailServer(path=tmp_path / "mail.db", cleartext=True, idle_timeout=20)
    server.add_user("ann", "secret")
    server.deliver(b"Subject: old\r\n\r\n", to="ann")
    with server:
        yield server


def say(server: MailServer, service: str, lines: bytes) -> socket.socket:
    """A connection to *service* on which *lines* were said, and nothing was read."""
    sock = socket.create_connection((server.host, server.ports[service]), 20)
    sock.sendall(lines)
    return sock


def answers(sock: socket.socket, count: int) -> list[bytes]:
    return [read_line(sock) for _ in range(count)]


LETTER = (
    b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n"
    b"Subject: new\r\n\r\n.\r\n"
)


def is_stored(sock: socket.socket) -> bool:
    """Whether LETTER is answered at last."""
    while not (line := read_line(sock)).startswith(b"354 "):
        pass
    line = read_line(sock)
    return line.startswith(b"250 ")


def test_who_waits_for_the_disk_stops_nobody_else(on_disk: MailServer) -> None:
    with on_disk._store.transaction():  # as if it were slow
        waiting = say(on_disk, "lmtp", LETTER)
        lines = b"USER ann\r\nPASS secret\r\nRETR 1\r\n"
        with say(on_disk, "pop3", lines) as other:
            *_, message = answers(other, 5)
        assert message == b"Subject: old\r\n"
        assert [m.email["Subject"] for m in on_disk.messages] == ["old"]
    with waiting:
        assert is_stored(waiting)
    assert [m.email["Subject"] for m in on_disk.messages] == ["old", "new"]


def test_who_waits_for_the_disk_at_the_end_is_answered(on_disk: MailServer) -> None:
    stopping = threading.Thread(target=on_disk.stop)
    with on_disk._store.transaction():
        waiting = say(on_disk, "lmtp", LETTER)
        while on_disk._store._coming == 0:
            pass
        stopping.start()
    with waiting:
        assert is_stored(waiting)
    stopping.join()


def test_whose_time_is_over_while_it_waits_for_the_disk_has_it_stored(
    tmp_path: Path,
) -> None:
    server = MailServer(path=tmp_path / "mail.db", idle_timeout=0.05)
    server.add_user("ann", "secret")
    with server:
        with server._store.transaction():
            waiting = say(server, "lmtp", LETTER)
            while server._store._coming == 0:
                pass
            with say(server, "lmtp", b"NOOP\r\n") as later:
                assert later.makefile("rb").readlines()  # until its time is over, too
        with waiting:
            assert waiting.makefile("rb").readlines()
        assert len(server.wait_for(1)) == 1


def test_news_are_told_from_a_file_too(on_disk: MailServer) -> None:
    lines = b"a LOGIN ann secret\r\nb SELECT INBOX\r\nc IDLE\r\n"
    with say(on_disk, "imap", lines) as sock:
        while not read_line(sock).startswith(b"+ "):
            pass
        for count in (2, 3):
            on_disk.deliver(b"x", to="ann")
            while (line := read_line(sock)) != b"* %d EXISTS\r\n" % count:
                assert line.startswith(b"* ")


LEFT = """
import gc, os, socket, threading, tempfile
from mailproto.embedded import MailServer
before = os.listdir("/proc/self/fd")
server = MailServer()
with server:
    sock = socket.create_connection((server.host, server.ports["smtp"]))
    sock.recv(100)
    sock.close()
forgotten = MailServer()
del server, forgotten
gc.collect()
assert os.listdir("/proc/self/fd") == before
assert os.listdir(tempfile.gettempdir()) == []
assert threading.active_count() == 1, threading.enumerate()
never_stopped = MailServer()
never_stopped.start()
"""

FORKED = """
import os, sys
from mailproto.embedded import MailServer
with MailServer() as server:
    server.add_user("ann", "secret")
    server.deliver(b"x", to="ann")
    child = os.fork()
    if child == 0:
        sys.exit()  # through the end of the block, and what is done at exit
    assert os.waitpid(child, 0)[1] == 0
    assert server.ca_file.exists()
    server.client_context()
    server.deliver(b"y", to="ann")
    assert [message.data for message in server.messages] == [b"x", b"y"]
"""


@pytest.mark.parametrize("code", [LEFT, FORKED], ids=["left", "forked"])
def test_nothing_is_left_and_nothing_is_taken_from_another(
    code: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code]
    # Python 3.12 and later say of every fork in a process with threads that it may
    # end in a deadlock.
    command[5:5] = ["-W", "ignore:This process:DeprecationWarning"]
    done = subprocess.run(
        command,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_what_ends_badly_while_nobody_waits_is_no_complaint() -> None:
    complaints: list[object] = []

    async def ends_badly() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("it ends badly")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        waiting = asyncio.create_task(_unless(asyncio.Event(), ends_badly()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    gc.collect()
    assert complaints == []
