"""``python -m benchmarks.embedded [--connections N] [--messages N] [--smoke]``

What the embedded server takes: the memory of a connection that is idle, each service in
fresh processes, and the time of a crowd that sends and fetches.  It is a command of its
own, since it needs sockets and a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mailproto import Security, imap, pop3, smtp
from mailproto.asyncio import connect
from mailproto.embedded import MailServer
from mailproto.services import SERVICES, Protocol
from tests.embedded.crowd import allow_files, meet

NAME, PASSWORD = "ann", "secret"
PLAIN_AND_TLS = ("smtp", "submissions", "pop3", "pop3s", "imap", "imaps")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.embedded", description=__doc__
    )
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--messages", type=int, default=20, help="for each of them")
    parser.add_argument("--smoke", action="store_true", help="a few of each")
    parser.add_argument("--idle", metavar="SERVICE", help=argparse.SUPPRESS)
    parser.add_argument("--clients", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


# -- idle connections --------------------------------------------------------------


async def be_idle(service: str, port: int, ca_file: str, count: int) -> None:
    """Connect *count* times, log in, and say nothing until standard input ends."""
    implicit = SERVICES[service].security is Security.IMPLICIT
    security = Security.IMPLICIT if implicit else Security.CLEARTEXT
    tls = ssl.create_default_context(cafile=ca_file)
    sessions = []
    for number in range(count):
        conn: Any
        if SERVICES[service].protocol is Protocol.SMTP:
            conn = smtp.Client(security)
        elif SERVICES[service].protocol is Protocol.POP3:
            conn = pop3.Client(security)
        else:
            conn = imap.Client(security)
        session: Any = await connect(conn, "127.0.0.1", port, tls=tls)
        if isinstance(conn, smtp.Client):
            await session.run(smtp.hello(conn))
        elif isinstance(conn, pop3.Client):
            await session.run(pop3.User(f"{NAME}{number}"))
            await session.run(pop3.Pass(PASSWORD))
        else:
            await session.run(imap.Login(f"{NAME}{number}", PASSWORD))
            await session.run(imap.Select("INBOX"))
        sessions.append(session)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for session in sessions:
        await session.close()


def resident() -> int:
    """Octets of this process that are in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def measure_idle(service: str, count: int) -> float:
    """Octets of the server's process for one more idle connection."""
    with MailServer(cleartext=True) as server:
        for number in range(count):
            server.add_user(f"{NAME}{number}", PASSWORD)
        arguments = [service, str(server.ports[service]), str(server.ca_file)]
        few = with_clients(arguments, count // 10)  # what is loaded once, is by now
        return (with_clients(arguments, count) - few) / (count - count // 10)


def with_clients(arguments: list[str], count: int) -> int:
    command = [sys.executable, "-m", "benchmarks.embedded"]
    command += ["--connections", str(count), "--clients", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return resident()


# -- a start -----------------------------------------------------------------------


def measure_start() -> float:
    """Seconds until all services listen: the median of twenty."""
    took = []
    for _ in range(20):
        began = time.perf_counter()
        with MailServer():
            took.append(time.perf_counter() - began)
    return statistics.median(took)


def main() -> int:
    chosen = options()
    count, messages = chosen.connections, chosen.messages
    if not allow_files(4 * count + 100):
        sys.exit(f"{4 * count + 100} files cannot be open at once here")
    if chosen.clients:
        service, port, ca_file = chosen.clients
        asyncio.run(be_idle(service, int(port), ca_file, count))
        return 0
    if chosen.idle:
        print(measure_idle(chosen.idle, count))
        return 0
    if chosen.smoke:
        count, messages = 20, 2
    print(f"a start: {measure_start() * 1000:.1f} ms")
    print(f"KiB for an idle connection, of {count}:")
    for service in PLAIN_AND_TLS:
        command = [sys.executable, "-m", "benchmarks.embedded", "--idle", service]
        found = subprocess.check_output([*command, "--connections", str(count)])
        print(f"  {service:12} {float(found) / 1024:6.1f}")
    wrong = 0.0
    print(f"{count} clients send and fetch {messages} messages each, seconds:")
    with tempfile.TemporaryDirectory() as directory:
        for where, path in (("memory", None), ("a file", Path(directory, "mail.db"))):
            with MailServer(path=path, cleartext=True) as server:
                told = meet(server, count, messages)
            wrong += told["lost"] + told["doubled"]
            print(f"  in {where}: send {told['send']:.1f}, fetch {told['fetch']:.1f}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
