"""``mailproto send URL FILE``: send one message by SMTP or LMTP."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from .. import smtp, sync
from .._command import Script
from .._connection import Security
from ..errors import LocalProtocolError
from ..progress import Progress
from ..services import Protocol
from .account import Account, add_account, mechanisms_for, read_account
from .failure import STATUSES, Failure, say, show
from .reasons import words

EPILOG: Final = f"""exit status:
{STATUSES}
  9  some recipients do not get it   10  nobody gets it
With smtp and lmtp, TLS is used where it is offered; with a submission service it is
demanded. A name in the URL logs in."""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "send",
        help="send a message by SMTP or LMTP",
        description="Send one message, and tell of each recipient whether the server "
        "takes it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "url", help="submission(s)://NAME@HOST, smtp://HOST or lmtp://HOST"
    )
    parser.add_argument("file", help="the message, with its header; -: standard input")
    parser.add_argument(
        "--from",
        dest="sender",
        metavar="ADDRESS",
        help="the sender (default: what the header says; empty: the null path)",
    )
    parser.add_argument(
        "--to",
        action="append",
        metavar="ADDRESS",
        help="a recipient; once for each (default: what the header says)",
    )
    add_account(parser)
    parser.add_argument("--verbose", action="store_true", help="show the conversation")
    parser.set_defaults(run=_send)


def _send(options: argparse.Namespace) -> int:
    account = read_account(options, Protocol.SMTP, Protocol.LMTP, anonymous=True)
    message = _read(options.file)
    url = account.url
    lmtp = url.service.protocol is Protocol.LMTP
    conn = smtp.Client(account.security, dialect=smtp.LMTP if lmtp else smtp.SMTP)
    if options.verbose:
        conn.trace = show
    with sync.connect(
        conn, url.host, url.port, tls=account.tls, timeout=options.timeout
    ) as session:
        session.run(_begin(conn, account, options.mechanism or url.mechanism))
        with Progress(sys.stderr) as progress:
            progress.note(f"sending {len(message)} octets")
            sent = _deliver(session, message, options)
        if conn.state is not smtp.State.CLOSED:
            session.run(smtp.Quit())
    _tell("accepted", sent.accepted)
    _tell("REFUSED", sent.refused)
    for recipient in sent.untried:
        say(f"{recipient}: NOT TRIED: the server takes no more of them now")
    if sent.complete:
        return 0
    return 9 if sent.accepted else 10


def _deliver(
    session: sync.Session[smtp.Client], message: bytes, options: argparse.Namespace
) -> smtp.Sent:
    """What became of it; that nobody gets it is told as any other outcome."""
    script = smtp.send_message(session.conn, message, options.sender, options.to)
    try:
        return session.run(script)
    except smtp.NotSent as failure:
        return smtp.Sent({}, failure.refused)
    except LocalProtocolError as error:  # 8-bit mail, say, and no 8BITMIME
        raise Failure(1, str(error)) from error


def _read(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()


def _tell(what: str, replies: Mapping[str, smtp.Reply]) -> None:
    for recipient, reply in replies.items():
        say(f"{recipient}: {what}: {words(reply)}")


def _begin(conn: smtp.Client, account: Account, mechanism: str | None) -> Script[None]:
    """TLS, where it is demanded or offered, and the log-in, if there is to be one."""
    offered = yield from smtp.hello(conn)
    takes = account.security is Security.OPTIONAL and not conn.tls
    if takes and offered is not None and "STARTTLS" in offered:
        yield smtp.StartTls()
        yield from smtp.hello(conn)
    name = account.url.name
    if name is not None:
        only = mechanisms_for(mechanism, name, account.password)
        yield from smtp.log_in(conn, name, account.password, mechanisms=only)
