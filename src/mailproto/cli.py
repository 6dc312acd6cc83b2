"""The command line: ``mailproto demo``, ``mailproto pop3 URL``."""

from __future__ import annotations

import argparse
import getpass
import hashlib
import os
import socket
import ssl
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from . import __version__, pop3, sync
from ._command import Chunk
from ._connection import Security
from .embedded import MailServer
from .embedded.letters import LETTERS
from .errors import CommandFailed, LocalProtocolError, RemoteProtocolError
from .pop3.grammar import printable
from .progress import Progress
from .services import MailUrl, Protocol, parse_url
from .storage import Folder, Maildir, Seen

EPILOG: Final = """exit status:
  0  all went well          5  no route, no such host, connection refused
  1  something else         6  time-out
  2  usage                  7  the server broke the protocol
  3  log-in refused         8  the maildrop is open elsewhere
  4  TLS refused, or its certificate not trusted
130  interrupted"""


class Failure(Exception):
    """What to say on one line, and the exit status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    parser = argparse.ArgumentParser(prog="mailproto", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_demo, _add_pop3):
        add(commands)
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
        return status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        failure = _explain(error)
        print(f"mailproto: {failure}", file=sys.stderr)
        return failure.status


def _explain(error: Exception) -> Failure:
    """The exit status of *error*, and what it says to somebody who reads no code."""
    match error:
        case Failure():
            return error
        case ssl.SSLCertVerificationError():
            return Failure(4, f"certificate not trusted: {error.verify_message}")
        case ssl.SSLError():
            return Failure(4, f"TLS failed: {error.reason or error}")
        case CommandFailed(command=pop3.Stls()):
            return Failure(4, f"the server refuses TLS: {error.answer}")
        case CommandFailed(answer=answer) if answer.code == pop3.ResponseCode.IN_USE:
            return Failure(8, f"the maildrop is open elsewhere: {answer}")
        case CommandFailed(command=pop3.Pass() | pop3.Auth() | pop3.Apop()):
            return Failure(3, f"log-in refused: {error.answer}")
        case CommandFailed():
            return Failure(1, f"refused: {error.answer}")
        case TimeoutError():
            return Failure(6, f"time-out: {error}")
        case socket.gaierror():
            return Failure(5, f"no such host: {error.strerror}")
        case ConnectionError():
            return Failure(5, f"no connection: {error.strerror or error}")
        case RemoteProtocolError():
            return Failure(7, f"the server broke the protocol: {error}")
        case LocalProtocolError():
            return Failure(3, str(error))
        case OSError():
            return Failure(5 if error.filename is None else 1, str(error))
        case ValueError():
            return Failure(2, str(error))
    raise error


def _show(side: str, line: bytes) -> None:
    print(f"{side}: {printable(line.decode('utf-8', 'surrogateescape'))}")


# -- demo --------------------------------------------------------------------------


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser(
        "demo",
        help="mail through our own server and client, on loopback",
        description="Start a mail server on loopback, fetch from it over TLS, show the "
        "conversation, and check that every message arrives octet for octet.",
    )
    parser.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> int:
    with MailServer() as server:
        server.add_user("ann", "correct horse battery staple")
        for message in LETTERS.values():
            server.deliver(message, to="ann")
        port = server.ports["pop3"]
        print(f"# {len(LETTERS)} messages wait on {server.host}, port {port}\n")
        conn = pop3.Client()
        conn.trace = _show
        arrived: list[bytes] = []
        tls = server.client_context()
        with sync.connect(conn, "localhost", port, tls=tls, timeout=60) as session:
            password = "correct horse battery staple"
            session.run(pop3.log_in(conn, "ann", password))
            for event in session.stream(pop3.fetch_new()):
                match event:
                    case pop3.Incoming():
                        arrived.append(b"")
                        gathered = bytearray()
                    case Chunk(data=data):
                        gathered += data
                    case pop3.Arrived():
                        arrived[-1] = bytes(gathered)
                        event.confirm()
            version = session.ssl_object.version() if session.ssl_object else "no TLS"
            session.run(pop3.Quit())
    return _judge(arrived, str(version))


def _judge(arrived: Sequence[bytes], version: str) -> int:
    print(f"\n# what arrived, through {version}\n")
    good = len(arrived) == len(LETTERS)
    for (name, sent), got in zip(LETTERS.items(), arrived, strict=False):
        same = got == sent
        good &= same
        digest = hashlib.sha256(got).hexdigest()[:16]
        verdict = "identical" if same else "DIFFERENT"
        print(f"{len(got):>9} octets  sha256 {digest}...  {verdict}  {name}")
    print("\nall of it arrived octet for octet" if good else "\nNOT ALL OF IT ARRIVED")
    return 0 if good else 1


# -- pop3 --------------------------------------------------------------------------


def _add_pop3(commands: Any) -> None:
    parser = commands.add_parser(
        "pop3",
        help="fetch new mail from a POP3 server",
        description="Fetch the messages that were not fetched before.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", help="pop3://NAME@HOST or pop3s://NAME@HOST")
    into = parser.add_mutually_exclusive_group(required=True)
    into.add_argument("--maildir", type=Path, metavar="DIR", help="into a Maildir")
    into.add_argument("--into", type=Path, metavar="DIR", help="a file each, into DIR")
    parser.add_argument(
        "--delete", action="store_true", help="delete what is stored from the server"
    )
    parser.add_argument(
        "--all", action="store_true", help="fetch what was fetched before, too"
    )
    parser.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="its first line is the password; else the URL, $MAILPROTO_PASSWORD, "
        "or a question on the terminal",
    )
    parser.add_argument("--cafile", type=Path, help="whom to trust, in PEM")
    parser.add_argument(
        "--security",
        choices=[security.value for security in Security],
        help="what to demand of TLS (default: implicit for pop3s, starttls for pop3; "
        "cleartext sends the password without)",
    )
    parser.add_argument("--apop", action="store_true", help="prefer APOP to USER")
    parser.add_argument(
        "--timeout", type=float, default=60.0, help="seconds for each step (60)"
    )
    parser.add_argument("--verbose", action="store_true", help="show the conversation")
    parser.set_defaults(run=_pop3)


@dataclass
class Account:
    """Whose mail, where, and how."""

    url: MailUrl
    password: str
    security: Security
    tls: ssl.SSLContext | None


def _account(options: argparse.Namespace) -> Account:
    url = parse_url(options.url)
    if url.service.protocol is not Protocol.POP3:
        raise Failure(2, f"not a POP3 URL: {url}")
    if url.name is None:
        raise Failure(2, "the URL does not say whose mail: pop3://NAME@HOST")
    tls = None
    if options.cafile is not None:
        tls = ssl.create_default_context(cafile=options.cafile)
    chosen = options.security
    security = Security(chosen) if chosen is not None else url.service.security
    password = "" if url.service.logged_in else _password(options, url)
    return Account(url, password, security, tls)


def _password(options: argparse.Namespace, url: MailUrl) -> str:
    if options.password_file is not None:
        text: str = options.password_file.read_text(encoding="utf-8")
        return text.split("\n")[0]
    if url.password is not None:
        return url.password
    if "MAILPROTO_PASSWORD" in os.environ:
        return os.environ["MAILPROTO_PASSWORD"]
    if not sys.stdin.isatty():
        raise Failure(2, "no password: --password-file or $MAILPROTO_PASSWORD")
    return getpass.getpass(f"Password of {url.name} at {url.host}: ")


def _pop3(options: argparse.Namespace) -> int:
    account = _account(options)
    target: Maildir | Folder = (
        Maildir(options.maildir) if options.maildir else Folder(options.into)
    )
    seen = Seen(target.directory / ".mailproto-seen", str(account.url))
    conn = pop3.Client(account.security)
    if options.verbose:
        conn.trace = _show
    url = account.url
    with ExitStack() as stack:
        session = stack.enter_context(
            sync.connect(
                conn, url.host, url.port, tls=account.tls, timeout=options.timeout
            )
        )
        if url.service.logged_in:
            session.run(pop3.log_in_kpop(url.name or ""))
        else:
            log_in = pop3.log_in(
                conn, url.name or "", account.password, apop=options.apop
            )
            session.run(log_in)
        skip = () if options.all else seen.uids
        progress = stack.enter_context(Progress(sys.stderr))
        count = _fetch(session, skip, options.delete, target, seen, progress.step)
        session.run(pop3.Quit())
    print(f"{count} fetched into {target.directory}")
    return 0


def _fetch(
    session: sync.Session[pop3.Client],
    skip: Iterable[str],
    delete: bool,
    target: Maildir | Folder,
    seen: Seen,
    progress: Callable[[int, int, int], None],
) -> int:
    """Store what is new, and remember it once it is stored; how many there were."""
    count = size = got = 0
    with ExitStack() as stack:
        for event in session.stream(pop3.fetch_new(frozenset(skip), delete=delete)):
            match event:
                case pop3.Incoming():
                    letter = stack.enter_context(target.letter(event.uid))
                    size, got = event.size, 0
                case Chunk(data=data):
                    letter.write(data)
                    got += len(data)
                case pop3.Arrived():
                    letter.keep()
                    seen.add(event.uid)
                    event.confirm()
                    count += 1
            progress(count, got, size)
    return count
