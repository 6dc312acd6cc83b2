r"""Real IMAP clients: mbsync, curl, fetchmail, and a judge that sees with imaplib.

A client gets a home directory of its own, a configuration made for the occasion, and
one minute. It verifies the server's certificate, which must be for localhost, against
`ca_file` and nothing else. Names of mailboxes are ASCII, as they are on the wire.

- mbsync keeps maildirs in Unix manner: every line end LF. It marks what it copies by a
  header field X-TUID, which is taken off here wherever mail is looked at.
- curl writes the octets as they are, and appends with the flag \Seen.
- fetchmail does too when told so (`no stripcr`, `no rewrite`, `invisible`, ...).
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from .programs import Account, home_directory, run, write_secret

Mail: TypeAlias = dict[bytes, frozenset[str]]
"""Message -> its flags, without \\Recent. No message is there twice."""

_TUID = re.compile(rb"^X-TUID: [^\r\n]*\r\n", re.MULTILINE)


def _unmarked(message: bytes) -> bytes:
    return _TUID.sub(b"", message, count=1)


# -- mbsync ------------------------------------------------------------------------

LETTERS = {"R": "\\Answered", "S": "\\Seen", "F": "\\Flagged", "D": "\\Draft"}
_SECURITY = {"implicit": "IMAPS", "stls": "STARTTLS", "none": "None"}
_SAID = re.compile(rb">>> \d+ (.*?)\r?\n")


@dataclass(frozen=True, slots=True)
class Said:
    """What an mbsync said to the server that moves mail, in commands."""

    fetched: int = 0
    appended: int = 0
    stored: int = 0


NOTHING = Said()


class Mbsync:
    """All mailboxes of an account, and a copy of them in maildirs below `mail`."""

    def __init__(self, account: Account, home: Path, auth: str) -> None:
        self._home = home
        self.mail = home / "mail"
        self.mail.mkdir()
        write_secret(
            home / "mbsyncrc",
            "IMAPAccount lab",
            f"Host {account.host}",
            f"Port {account.port}",
            f'User "{account.user}"',
            f'Pass "{account.password}"',
            f"AuthMechs {auth}",
            f"SSLType {_SECURITY[account.security]}",
            "SystemCertificates no",
            f"CertificateFile {account.ca_file}",
            "",
            "IMAPStore far",
            "Account lab",
            "",
            "MaildirStore near",
            f"Path {self.mail}/",
            f"Inbox {self.mail}/INBOX",
            "SubFolders Verbatim",
            "",
            "Channel all",
            "Far :far:",
            "Near :near:",
            "Patterns *",
            "Create Both",
            "Remove Both",
            "Expunge Both",
            "Sync All",
            "CopyArrivalDate yes",
            "SyncState *",
        )

    def sync(self) -> Said:
        """Make both sides the same; gives what it had to say for it."""
        said = run("mbsync", "-c", "mbsyncrc", "-a", "-Dn", home=self._home)
        commands = _SAID.findall(said)
        return Said(
            fetched=sum(b"BODY.PEEK[]" in command for command in commands),
            appended=sum(command.startswith(b"APPEND ") for command in commands),
            stored=sum(command.startswith(b"UID STORE ") for command in commands),
        )

    def files(self, mailbox: str) -> dict[bytes, Path]:
        """Where each message is."""
        folder = self.mail / mailbox
        files = [*folder.glob("new/*"), *folder.glob("cur/*")]
        return {
            _unmarked(file.read_bytes().replace(b"\n", b"\r\n")): file for file in files
        }

    def messages(self, mailbox: str) -> Mail:
        return {
            message: frozenset(LETTERS[x] for x in file.name.partition(":2,")[2])
            for message, file in self.files(mailbox).items()
        }

    def mailboxes(self) -> set[str]:
        folders = self.mail.glob("**/cur")
        return {str(folder.parent.relative_to(self.mail)) for folder in folders}

    # What somebody does to the maildirs.

    def create(self, mailbox: str) -> None:
        for folder in ("tmp", "new", "cur"):
            (self.mail / mailbox / folder).mkdir(parents=True)

    def add(self, mailbox: str, message: bytes, letters: str = "") -> None:
        folder = self.mail / mailbox / "cur"
        name = f"1700000000.{len([*folder.iterdir()])}_1.lab:2,{letters}"
        (folder / name).write_bytes(message.replace(b"\r\n", b"\n"))

    def flag(self, mailbox: str, message: bytes, letters: str) -> None:
        """`letters` are its flags from now on, in the order of the alphabet."""
        file = self.files(mailbox)[message]
        base = file.name.partition(":2,")[0]
        file.rename(self.mail / mailbox / "cur" / f"{base}:2,{letters}")

    def delete(self, mailbox: str, message: bytes) -> None:
        self.files(mailbox)[message].unlink()


@contextmanager
def mbsync(account: Account, *, auth: str = "*") -> Iterator[Mbsync]:
    """auth: "LOGIN", "PLAIN", "CRAM-MD5", ...; `*` leaves it to mbsync."""
    with home_directory() as home:
        yield Mbsync(account, home, auth)


# -- curl --------------------------------------------------------------------------


class Curl:
    """Each call is a process, with a connection of its own.

    auth: the SASL mechanism to use; otherwise curl chooses.
    """

    def __init__(self, account: Account, *, auth: str = "") -> None:
        scheme = "imaps" if account.security == "implicit" else "imap"
        self._url = f"{scheme}://{account.host}:{account.port}/"
        self._options = ["-sS", "--user", f"{account.user}:{account.password}"]
        self._options += ["--cacert", str(account.ca_file)]
        if account.security == "stls":
            self._options += ["--ssl-reqd"]
        if auth:
            self._options += ["--login-options", f"AUTH={auth}"]

    def say(self, command: str, mailbox: str = "") -> list[bytes]:
        """The untagged lines that a command brings, after SELECT if there is a name."""
        return self._run("-X", command, self._url + mailbox).splitlines()

    def mailboxes(self) -> list[bytes]:
        """The lines that LIST brings."""
        return self._run(self._url).splitlines()

    def fetch(
        self, mailbox: str, uids: Sequence[int], *, section: str = ""
    ) -> list[bytes]:
        """BODY[section] of each UID, one after the other through one connection."""
        with home_directory() as home:
            chosen = ",".join(map(str, uids))
            address = f"{self._url}{mailbox};UID={{{chosen}}}"
            if section:
                address += f";SECTION={section}"
            run("curl", *self._options, "-o", "#1", address, home=home)
            return [(home / str(uid)).read_bytes() for uid in uids]

    def append(self, mailbox: str, message: bytes) -> None:
        with home_directory() as home:
            (home / "message").write_bytes(message)
            options = [*self._options, "--upload-file", "message"]
            run("curl", *options, self._url + mailbox, home=home)

    def _run(self, *args: str) -> bytes:
        with home_directory() as home:
            return run("curl", *self._options, *args, home=home)


# -- imaplib -----------------------------------------------------------------------


@contextmanager
def imaplib_session(account: Account) -> Iterator[imaplib.IMAP4]:
    """Logged in; at the end it logs out."""
    context = ssl.create_default_context(cafile=account.ca_file)
    host, port = account.host, account.port
    if account.security == "implicit":
        session: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            host, port, ssl_context=context, timeout=30
        )
    else:
        session = imaplib.IMAP4(host, port, timeout=30)
        if account.security == "stls":
            session.starttls(context)
    # It sends a literal and the CRLF behind it in two pieces, and the second would wait
    # for the delayed ACK of the first: 44 ms for each APPEND.
    session.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with session:
        session.login(account.user, account.password)
        yield session


def fill(
    account: Account, mailboxes: Mapping[str, Iterable[tuple[bytes, str]]]
) -> None:
    """Create them, and append messages with their flags, one minute after the other."""
    with imaplib_session(account) as session:
        for name, messages in mailboxes.items():
            if name != "INBOX":
                session.create(f'"{name}"')
            for number, (message, flags) in enumerate(messages):
                when = imaplib.Time2Internaldate(FIRST + 60 * number)
                status, _ = session.append(f'"{name}"', f"({flags})", when, message)
                assert status == "OK"


FIRST = 1_700_000_000
"""When the first message was received, in Unix time."""


def seen_by_imaplib(account: Account) -> dict[str, Mail]:
    """All that a server holds; nothing is changed by it."""
    found: dict[str, Mail] = {}
    with imaplib_session(account) as session:
        _, lines = session.list()
        for line in lines:
            assert isinstance(line, bytes)
            if b"\\Noselect" in line:
                continue
            name = line.decode("ascii").partition(' "/" ')[2].strip('"')
            session.select(f'"{name}"', readonly=True)
            found[name] = _mail(session)
    return found


def _mail(session: imaplib.IMAP4) -> Mail:
    # An empty mailbox has no message 1, but there may be a UID 1 some day.
    _, data = session.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")
    mail: Mail = {}
    for number, item in enumerate(data):
        if isinstance(item, tuple):
            behind = data[number + 1]
            text = item[0] + (behind if isinstance(behind, bytes) else b"")
            flags = imaplib.ParseFlags(text)
            named = {flag.decode("ascii") for flag in flags} - {"\\Recent"}
            mail[_unmarked(item[1])] = frozenset(named)
    return mail


# -- fetchmail ---------------------------------------------------------------------


def fetchmail(account: Account, *, auth: str = "any") -> list[bytes]:
    """What is UNSEEN in INBOX, which is \\Seen from then on.

    auth: "password", "cram-md5", ...; `any` leaves it to fetchmail.
    """
    tls = {"implicit": "ssl", "stls": "sslproto 'TLS1.2+'", "none": "sslproto ''"}
    with home_directory() as home:
        (home / "inbox").mkdir()
        # fetchmail runs this for each message, one after the other.
        deliver = home / "deliver"
        deliver.write_text('#!/bin/sh\nexec cat > "inbox/$(ls inbox | wc -l)"\n')
        deliver.chmod(0o700)
        write_secret(
            home / "fetchmailrc",
            "set invisible",
            "set no bouncemail",
            f"poll {account.host} protocol imap port {account.port} auth {auth}",
            f'user "{account.user}" password "{account.password}"',
            f"{tls[account.security]} sslcertck sslcommonname localhost",
            f'sslcertfile "{account.ca_file}"',
            "keep no rewrite no stripcr pass8bits no dropstatus no dropdelivered",
            f'mda "cd {home} && {deliver}"',
        )
        options = ["--fetchmailrc", "fetchmailrc", "--nodetach", "--nosyslog", "-v"]
        # The common place for the lock would allow one fetchmail at a time.
        options += ["--idfile", f"{home}/ids", "--pidfile", f"{home}/pid"]
        no_mail = 1
        run("fetchmail", *options, home=home, accept=[0, no_mail])
        files = sorted((home / "inbox").iterdir(), key=lambda file: int(file.name))
        return [file.read_bytes() for file in files]
