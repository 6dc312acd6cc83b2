"""``mailproto serve``: a mail server for development, and what comes to it."""

from __future__ import annotations

import argparse
import secrets
import signal
import sqlite3
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from .. import __version__
from .._text import printable
from ..embedded import MailServer, StoredMessage
from ..embedded.mime import take_apart
from ..embedded.search import plain
from ..embedded.serving import SERVED
from .failure import Failure, say

USER: Final = "ann"  # who is there if nobody is named
SHOWN: Final = 100  # characters of a subject
NAMED: Final = 5  # of the recipients, each by name
HEADER: Final = 65536  # octets at the start of a message, to find a subject in

EPILOG: Final = """\
exit status:
  0  ended by SIGINT (Ctrl-C) or SIGTERM         2  usage
  1  a port, an address or a file cannot be had  4  no such certificate or key

It takes mail from everybody for everybody, and passes none on."""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "serve",
        help="a mail server for development, and what comes to it",
        description="Serve SMTP, submission, LMTP, POP3 and IMAP, plain and over TLS, "
        "until Ctrl-C, and print a line for each message that comes. It is not a "
        "production mail server.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="where to listen (%(default)s)"
    )
    parser.add_argument(
        "--port",
        type=_port,
        action="append",
        default=[],
        metavar="SERVICE=NUMBER",
        help=f"the port of one of {', '.join(SERVED)}; the others get free ones",
    )
    parser.add_argument(
        "--user",
        type=_user,
        action="append",
        default=[],
        metavar="NAME:PASSWORD",
        help="who can log in, or gets another password (default, if there is nobody: "
        f"{USER}, with a password that is printed)",
    )
    parser.add_argument(
        "--path",
        type=Path,
        metavar="FILE",
        help="keep all in FILE (default: in memory)",
    )
    parser.add_argument(
        "--tls",
        type=_files,
        metavar="CERT,KEY",
        help="a certificate and its key, in PEM (default: one is made for localhost)",
    )
    parser.add_argument(
        "--cleartext", action="store_true", help="let passwords in without TLS, too"
    )
    parser.set_defaults(run=_serve)


def _port(text: str) -> tuple[str, int]:
    service, _, number = text.partition("=")
    if service not in SERVED:
        known = ", ".join(SERVED)
        raise argparse.ArgumentTypeError(f"no service: {service!r}; known are {known}")
    port = int(number) if number.isascii() and number.isdigit() else 0
    if not 0 < port < 65536:
        raise argparse.ArgumentTypeError(f"no port: {number!r}")
    return service, port


def _user(text: str) -> tuple[str, str]:
    name, _, password = text.partition(":")
    if not name or not password:
        raise argparse.ArgumentTypeError("not a name, a colon and a password")
    return name, password


def _files(text: str) -> tuple[Path, Path]:
    certificate, comma, key = text.rpartition(",")
    if not comma or not certificate or not key:
        raise argparse.ArgumentTypeError(f"not two files: {text!r}")
    return Path(certificate), Path(key)


def _serve(options: argparse.Namespace) -> int:
    try:
        with Ending() as ending, ExitStack() as stack:
            server = _make_server(options)
            stack.callback(server.stop)
            arrivals = server.arrivals()
            ending.call(arrivals.close)
            password = _add_users(server, options.user)
            _start(server)
            _say_what_there_is(server, options, password)
            for message in arrivals:
                say(describe(message))
    except sqlite3.Error as error:
        raise Failure(1, f"--path {options.path}: {error}") from error
    return 0


def _make_server(options: argparse.Namespace) -> MailServer:
    tls = None if options.tls is None else _read_tls(*options.tls)
    try:
        return MailServer(
            path=options.path,
            host=options.host,
            ports=dict(options.port),
            tls=tls,
            cleartext=options.cleartext,
        )
    except ValueError as error:  # another version's
        raise Failure(1, f"--path {options.path}: {error}") from error


def _read_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for file in (certificate, key):
        file.open("rb").close()  # what ssl says of a file does not name it
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        why = error.reason or "no certificate with its key"
        raise Failure(4, f"--tls {certificate},{key}: {why}") from error
    return context


class Ending:
    """SIGINT and SIGTERM do no more than call what is to be called, while it lasts."""

    def __init__(self) -> None:
        self._come = False
        self._close: Callable[[], object] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def call(self, close: Callable[[], object]) -> None:
        """Call *close* at a signal, or now if one has come already."""
        self._close = close
        if self._come:
            close()

    def _end(self, *_: object) -> None:
        self._come = True
        if self._close is not None:
            self._close()

    def __enter__(self) -> Self:
        for each in (signal.SIGINT, signal.SIGTERM):
            self._before[each] = signal.signal(each, self._end)
        return self

    def __exit__(self, *error: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)


def _start(server: MailServer) -> None:
    try:
        server.start()
    except OSError as error:  # no trouble of a network: status 1, whatever it is
        raise Failure(1, error.strerror or str(error)) from error


def _add_users(server: MailServer, users: list[tuple[str, str]]) -> str | None:
    """Add them; the password of a user who was made because there was nobody."""
    for name, password in users:
        server.add_user(name, password)
    if server.users:
        return None
    password = secrets.token_hex(8)
    server.add_user(USER, password)
    return password


def _say_what_there_is(
    server: MailServer, options: argparse.Namespace, password: str | None
) -> None:
    certificate = server.ca_file or options.tls[0]
    say(f"mailproto {__version__}, a mail server for development, at {server.host}")
    for service, port in server.ports.items():
        say(f"{service:12} {port}")
    for name in server.users:
        said = "" if password is None else f", password {password}"
        say(f"{'user':12} {printable(name)}{said}")
    say(f"{'certificate':12} {printable(str(certificate))}")
    where = "in memory" if options.path is None else printable(str(options.path))
    say(f"{'mail':12} {where}")
    say("ready; Ctrl-C ends it")


def describe(message: StoredMessage) -> str:
    """When and how a message came, from whom to whom, how long it is, and its subject.

    All on one line, whatever stands in it.
    """
    when = datetime.fromtimestamp(message.received).isoformat(" ", "seconds")
    to = message.recipients or message.users
    names = [*to[:NAMED], *([f"{len(to) - NAMED} more"] if len(to) > NAMED else [])]
    head = message.data[:HEADER].partition(b"\r\n\r\n")[0]
    subject = plain("".join(take_apart(head).values("Subject")[:1]))
    if len(subject) > SHOWN:
        subject = subject[: SHOWN - 3] + "..."
    return printable(
        f"{when}  {message.origin.service}  from <{message.sender}>  "
        f"to {', '.join(names)}  {len(message.data)} octets  {subject}".rstrip()
    )
