"""``mailproto fetch URL``: fetch new mail by POP3 or IMAP."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from .. import imap, pop3, sync
from .._command import Chunk, Script
from .._text import printable
from ..progress import Progress
from ..services import Protocol
from ..storage import Folder, Letter, Maildir, Marks, Seen, sub_folder
from .account import Account, add_account, mechanisms_for, read_account
from .failure import STATUSES, Failure, say, show
from .reasons import words

EPILOG: Final = f"""exit status:
{STATUSES}
  9  some mailboxes could not be read
IMAP: all mailboxes are fetched, or those of --folder, and nothing changes on the
server. With --maildir they become INBOX itself and .Name beside it (Maildir++), with
--into a directory each."""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "fetch",
        aliases=["pop3"],
        help="fetch new mail by POP3 or IMAP",
        description="Fetch the messages that were not fetched before.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", help="imap(s)://NAME@HOST or pop3(s)://NAME@HOST")
    into = parser.add_mutually_exclusive_group(required=True)
    into.add_argument("--maildir", type=Path, metavar="DIR", help="into a Maildir")
    into.add_argument("--into", type=Path, metavar="DIR", help="a file each, into DIR")
    parser.add_argument(
        "--folder",
        action="append",
        metavar="NAME",
        help="IMAP: this mailbox, once for each; * and %% are LIST's (default: what "
        "the URL says, or all)",
    )
    parser.add_argument(
        "--delete", action="store_true", help="POP3: delete what is stored there"
    )
    parser.add_argument(
        "--all", action="store_true", help="fetch what was fetched before, too"
    )
    add_account(parser)
    parser.add_argument("--apop", action="store_true", help="POP3: APOP before USER")
    parser.add_argument("--verbose", action="store_true", help="show the conversation")
    parser.set_defaults(run=_fetch)


def _fetch(options: argparse.Namespace) -> int:
    account = read_account(options, Protocol.POP3, Protocol.IMAP)
    by_imap = account.url.service.protocol is Protocol.IMAP
    if by_imap and (options.delete or options.apop):
        raise Failure(2, "--delete and --apop are of POP3")
    if not by_imap and options.folder:
        raise Failure(2, "--folder is of IMAP")
    target: Maildir | Folder = (
        Maildir(options.maildir) if options.maildir else Folder(options.into)
    )
    return (_imap if by_imap else _pop3)(options, account, target)


# -- POP3 ----------------------------------------------------------------------------


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


def _pop3(
    options: argparse.Namespace, account: Account, target: Maildir | Folder
) -> int:
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
        count = _take(session, skip, options.delete, target, seen, progress.step)
        session.run(pop3.Quit())
    say(f"{count} fetched into {target.directory}")
    return 0


def _take(
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


# -- IMAP ----------------------------------------------------------------------------


def _imap(
    options: argparse.Namespace, account: Account, target: Maildir | Folder
) -> int:
    url = account.url
    patterns = options.folder or ["*"]
    if url.mailbox is not None and not options.folder:
        if url.mailbox.uid is not None or url.mailbox.search is not None:
            raise Failure(2, f"mailboxes are fetched, not messages: {url}")
        patterns = [url.mailbox.mailbox]
    marks = Marks(target.directory / ".mailproto-marks", account.maildrop)
    conn = imap.Client(account.security)
    if options.verbose:
        conn.trace = show
    with ExitStack() as stack:
        session = stack.enter_context(
            sync.connect(
                conn, url.host, url.port, tls=account.tls, timeout=options.timeout
            )
        )
        mechanism = options.mechanism or url.mechanism
        session.run(log_in_by_imap(conn, url.name or "", account.password, mechanism))
        roots = session.run(imap.List("", ""))
        delimiter = roots[0].delimiter if roots else None
        progress = stack.enter_context(Progress(sys.stderr))
        arrival = _Arrival(target, delimiter, marks, progress.step)
        for pattern in patterns:
            arrival.take(session, {} if options.all else marks.known(), pattern)
        session.run(imap.Logout())
    for mailbox, reply in arrival.skipped.items():
        print(f"skipped {mailbox!a}: {words(reply)}", file=sys.stderr)
    say(f"{arrival.count} fetched into {target.directory}")
    return 9 if arrival.skipped else 0


def log_in_by_imap(
    conn: imap.Client, name: str, password: str, mechanism: str | None
) -> Script[str]:
    """By *mechanism* and nothing else; ``None``: by the best that is offered."""
    if mechanism in ("APOP", "+APOP"):
        raise Failure(2, "APOP is of POP3")
    only = mechanisms_for(mechanism, name, password)
    return imap.log_in(conn, name, "" if only else password, mechanisms=only)


class _Arrival:
    """Stores what comes, and marks it once it is stored."""

    def __init__(
        self,
        target: Maildir | Folder,
        delimiter: str | None,
        marks: Marks,
        progress: Callable[[int, int, int], None],
    ) -> None:
        self.count = 0
        self.skipped: dict[str, imap.Reply] = {}
        self._target = target
        self._delimiter = delimiter
        self._marks = marks
        self._progress = progress

    def take(
        self,
        session: sync.Session[imap.Client],
        known: Mapping[str, tuple[int, int]],
        pattern: str,
    ) -> None:
        """All that is new in the mailboxes that *pattern* lists."""
        since = {mailbox: imap.Mark(*mark) for mailbox, mark in known.items()}
        room = self._target
        letter: Letter | None = None
        size = got = 0
        found = False
        with ExitStack() as stack:
            for event in session.stream(imap.fetch_new(since, pattern=pattern)):
                found = True
                match event:
                    case imap.Folder(mailbox=mailbox):
                        room = sub_folder(self._target, mailbox, self._delimiter)
                    case imap.Skipped():
                        self.skipped[event.mailbox] = event.reply
                    case imap.Incoming():
                        letter = stack.enter_context(room.letter(""))
                        size, got = event.size, 0
                    case Chunk(data=data) if letter is not None:
                        letter.write(data)
                        got += len(data)
                    case imap.Arrived(mark=mark) if letter is not None:
                        uid = f"{mark.uid_validity}-{mark.uid}"
                        letter.keep(room.place(uid, event.flags))
                        stack.close()  # or there would be one open file for each
                        self._marks.set(event.mailbox, mark.uid_validity, mark.uid)
                        self.count += 1
                self._progress(self.count, got, size)
        if not found:
            raise Failure(1, f"no such mailbox: {printable(pattern)}")
