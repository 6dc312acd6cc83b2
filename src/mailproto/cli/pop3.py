"""``mailproto pop3 URL``: fetch new mail from a POP3 server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .. import pop3, sync
from .._command import Chunk, Script
from ..progress import Progress
from ..storage import Folder, Maildir, Seen
from .account import Account, add_account, mechanisms_for, read_account
from .failure import EPILOG, Failure, say, show


def add(commands: Any) -> None:
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
    add_account(parser)
    parser.add_argument("--apop", action="store_true", help="prefer APOP to USER")
    parser.add_argument("--verbose", action="store_true", help="show the conversation")
    parser.set_defaults(run=_pop3)


def _log_in(
    conn: pop3.Client, account: Account, mechanism: str | None, apop: bool
) -> Script[str]:
    """By *mechanism* and nothing else; ``None``: by the best that is offered."""
    name, password = account.url.name or "", account.password
    if account.url.service.logged_in:
        return pop3.log_in_kpop(name)
    if mechanism in ("APOP", "+APOP"):
        if conn.greeting is None or conn.greeting.stamp is None:
            raise Failure(3, "the server does not offer APOP")
        return pop3.log_in(conn, name, password, mechanisms=(), apop=True)
    only = mechanisms_for(mechanism, name, password)
    return pop3.log_in(
        conn, name, password, mechanisms=only, apop=apop and only is None
    )


def _pop3(options: argparse.Namespace) -> int:
    account = read_account(options)
    target: Maildir | Folder = (
        Maildir(options.maildir) if options.maildir else Folder(options.into)
    )
    seen = Seen(target.directory / ".mailproto-seen", account.maildrop)
    conn = pop3.Client(account.security)
    if options.verbose:
        conn.trace = show
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
    say(f"{count} fetched into {target.directory}")
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
