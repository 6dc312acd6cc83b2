"""The command line: ``mailproto demo``, ``mailproto pop3 URL``."""

from __future__ import annotations

import argparse
import errno
import getpass
import hashlib
import io
import math
import os
import socket
import ssl
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from . import __version__, imap, pop3, sasl, smtp, sync
from ._command import Chunk, Script
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

# What the network says when it is not there; the other errors without the name of a
# file come from files too: a full disk names none.
NETWORK: Final = {
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.EADDRNOTAVAIL,
}
LOGINS: Final = (pop3.User, pop3.Pass, pop3.Apop, pop3.Auth)


class Failure(Exception):
    """What to say on one line, and the exit status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Unread(Exception):
    """Nobody reads what we print any more: ``| head``, say."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    parser = argparse.ArgumentParser(prog="mailproto", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_demo, _add_pop3):
        add(commands)
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a terminal cannot show: \xHH
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status: int = options.run(options)
        return status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Unread:
        _turn_away()
        return 1
    except Exception as error:
        failure = _explain(error)
        print(f"mailproto: {failure}", file=sys.stderr)
        return failure.status


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise Unread from None


def _turn_away() -> None:
    """Print to nowhere, or Python complains when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


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
        case CommandFailed(__cause__=RemoteProtocolError() as cause):
            return Failure(7, f"the server broke the protocol: {cause}")
        case CommandFailed(command=command, answer=answer):
            # RFC 3206: any other code says that it is not for the credentials.
            judged = answer.code in (None, pop3.ResponseCode.AUTH)
            if judged and isinstance(command, LOGINS):
                return Failure(3, f"log-in refused: {answer}")
            return Failure(1, f"refused: {answer}")
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
            where = "" if error.filename is None else f"{error.filename}: "
            status = 5 if error.errno in NETWORK else 1
            return Failure(status, where + (error.strerror or str(error)))
        case ValueError():
            return Failure(2, str(error))
    raise error


def _show(side: str, line: bytes) -> None:
    _say(f"{side}: {printable(line.decode('utf-8', 'surrogateescape'))}")


# -- demo --------------------------------------------------------------------------


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser(
        "demo",
        help="mail through our own server and client, on loopback",
        description="Start a mail server on loopback, send to it by SMTP and fetch "
        "from it by POP3 and by IMAP, all over TLS, show the conversations, and check "
        "that every message arrives octet for octet.",
    )
    parser.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> int:
    password = "correct horse battery staple"
    with MailServer() as server:
        server.add_user("ann", password)
        _say(f"# {len(LETTERS)} messages by SMTP, port {server.ports['submission']}\n")
        _demo_send(server, password)
        _say(f"\n# and back by POP3, port {server.ports['pop3']}\n")
        by_pop3, version = _demo_pop3(server, password)
        _say(f"\n# and once more by IMAP, port {server.ports['imap']}\n")
        by_imap = _demo_imap(server, password)
    good = _judge("POP3", by_pop3, version) & _judge("IMAP", by_imap, version)
    _say("\nall of it arrived octet for octet" if good else "\nNOT ALL OF IT ARRIVED")
    return 0 if good else 1


def _demo_send(server: MailServer, password: str) -> None:
    conn = smtp.Client()
    conn.trace = _show
    port, tls = server.ports["submission"], server.client_context()
    with sync.connect(conn, server.host, port, tls=tls, timeout=60) as session:
        session.run(smtp.log_in(conn, "ann", password))
        for message in LETTERS.values():
            to = ["ann@example.net"]
            session.run(smtp.send_message(conn, message, "bob@example.org", to))
        session.run(smtp.Quit())


def _demo_pop3(server: MailServer, password: str) -> tuple[list[bytes], str]:
    """The messages, and the version of TLS."""
    conn = pop3.Client()
    conn.trace = _show
    arrived: list[bytes] = []
    port, tls = server.ports["pop3"], server.client_context()
    with sync.connect(conn, server.host, port, tls=tls, timeout=60) as session:
        session.run(pop3.log_in(conn, "ann", password))
        for event in session.stream(pop3.fetch_new()):
            match event:
                case pop3.Incoming():
                    gathered = bytearray()
                case Chunk(data=data):
                    gathered += data
                case pop3.Arrived():
                    arrived.append(bytes(gathered))
                    event.confirm()
        version = session.ssl_object.version() if session.ssl_object else "no TLS"
        session.run(pop3.Quit())
    return arrived, str(version)


def _demo_imap(server: MailServer, password: str) -> list[bytes]:
    conn = imap.Client()
    conn.trace = _show
    arrived: list[bytes] = []
    port, tls = server.ports["imap"], server.client_context()
    with sync.connect(conn, server.host, port, tls=tls, timeout=60) as session:
        session.run(imap.log_in(conn, "ann", password))
        gathered = bytearray()
        for event in session.stream(imap.fetch_new()):
            match event:
                case imap.Incoming():
                    gathered = bytearray()
                case Chunk(data=data):
                    gathered += data
                case imap.Arrived():
                    arrived.append(bytes(gathered))
        session.run(imap.Logout())
    return arrived


def _judge(protocol: str, arrived: Sequence[bytes], version: str) -> bool:
    _say(f"\n# what arrived by {protocol}, through {version}\n")
    good = len(arrived) == len(LETTERS)
    for (name, sent), got in zip(LETTERS.items(), arrived, strict=False):
        same = got == sent
        good &= same
        digest = hashlib.sha256(got).hexdigest()[:16]
        verdict = "identical" if same else "DIFFERENT"
        _say(f"{len(got):>9} octets  sha256 {digest}...  {verdict}  {name}")
    return good


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
    _add_account(parser)
    parser.add_argument("--apop", action="store_true", help="prefer APOP to USER")
    parser.add_argument("--verbose", action="store_true", help="show the conversation")
    parser.set_defaults(run=_pop3)


def _add_account(parser: argparse.ArgumentParser) -> None:
    """What is needed to log in, to whatever service."""
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
    parser.add_argument(
        "--mechanism",
        type=str.upper,
        help="log in by this and nothing else: a SASL mechanism, APOP, or USER; the "
        "password is the token of OAUTHBEARER and XOAUTH2 (default: what ;AUTH= in "
        "the URL says, or the best that is offered)",
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=60.0, help="seconds for each step (60)"
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}")
    return seconds


@dataclass
class Account:
    """Whose mail, where, and how."""

    url: MailUrl
    password: str = field(repr=False)
    security: Security
    tls: ssl.SSLContext | None

    @property
    def maildrop(self) -> str:
        """Its name for what was seen: the same with TLS and without."""
        port = "" if self.url.port == self.url.service.port else f":{self.url.port}"
        return f"{self.url.name}@{self.url.host}{port}"


def _account(options: argparse.Namespace) -> Account:
    url = parse_url(options.url)
    if url.service.protocol is not Protocol.POP3:
        raise Failure(2, f"not a POP3 URL: {url}")
    if url.name is None:
        raise Failure(2, "the URL does not say whose mail: pop3://NAME@HOST")
    tls = None if options.cafile is None else _trust(options.cafile)
    chosen = options.security
    security = Security(chosen) if chosen is not None else url.service.security
    password = "" if url.service.logged_in else _password(options, url)
    return Account(url, password, security, tls)


def _trust(cafile: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cafile)
    except OSError as error:  # it does not name the file
        why = "no certificate in it" if isinstance(error, ssl.SSLError) else error
        raise Failure(2, f"--cafile {cafile}: {why}") from error


def _password(options: argparse.Namespace, url: MailUrl) -> str:
    if options.password_file is not None:
        text: str = options.password_file.read_text(encoding="utf-8")
        password = text.split("\n")[0]
    elif url.password is not None:
        password = url.password
    elif "MAILPROTO_PASSWORD" in os.environ:
        password = os.environ["MAILPROTO_PASSWORD"]
    elif sys.stdin.isatty():
        try:
            password = getpass.getpass(f"Password of {url.name} at {url.host}: ")
        except EOFError:
            raise Failure(2, "no password was typed") from None
    else:
        raise Failure(2, "no password: --password-file or $MAILPROTO_PASSWORD")
    if not password:
        raise Failure(2, "the password is empty")
    return password


def _log_in(
    conn: pop3.Client, account: Account, mechanism: str | None, apop: bool
) -> Script[str]:
    """By *mechanism* and nothing else; ``None``: by the best that is offered."""
    name, password = account.url.name or "", account.password
    if account.url.service.logged_in:
        return pop3.log_in_kpop(name)
    match mechanism:
        case None | "*":
            return pop3.log_in(conn, name, password, apop=apop)
        case "USER":
            return pop3.log_in(conn, name, password, mechanisms=())
        case "APOP" | "+APOP":
            if conn.greeting is None or conn.greeting.stamp is None:
                raise Failure(3, "the server does not offer APOP")
            return pop3.log_in(conn, name, password, mechanisms=(), apop=True)
        case "OAUTHBEARER" | "XOAUTH2":
            known = sasl.candidates(name, token=password)
        case _:
            known = sasl.candidates(name, password=password)
    fit = [each for each in known if each.mechanism == mechanism]
    if not fit:
        raise Failure(2, f"{mechanism}: no mechanism for a name and a password")
    return pop3.log_in(conn, name, mechanisms=fit)


def _pop3(options: argparse.Namespace) -> int:
    account = _account(options)
    target: Maildir | Folder = (
        Maildir(options.maildir) if options.maildir else Folder(options.into)
    )
    seen = Seen(target.directory / ".mailproto-seen", account.maildrop)
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
        mechanism = options.mechanism or url.mechanism
        session.run(_log_in(conn, account, mechanism, options.apop))
        skip = () if options.all else seen.uids
        progress = stack.enter_context(Progress(sys.stderr))
        count = _fetch(session, skip, options.delete, target, seen, progress.step)
        session.run(pop3.Quit())
    _say(f"{count} fetched into {target.directory}")
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
