r"""Programs that people read mail with: NeoMutt, OfflineIMAP, getmail, S-nail.

A program gets a home directory of its own, a configuration made for the occasion, and
one minute. It verifies the server's certificate against `ca_file` and nothing else, and
comes by TLS from the first octet: to IMAP at `imaps`, to SMTP at `submissions`.

All of them keep mail in Unix manner, every line end LF, and some mark it, which is
taken off here wherever mail is looked at:

- NeoMutt ends the header with Content-Length and perhaps Lines.
- getmail begins it with Return-Path, and ends it with X-getmail-...
- S-nail ends it with Status and X-Status, and writes `>From ` where a line could begin
  a message in a file of many, and a blank line at the end unless there is one.

OfflineIMAP and getmail write what Python's email package makes of a message, and S-nail
closes an open multipart: REWRITTEN are the messages of tests.messages that come out
with other octets, though they say the same.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .daemon import IS_ROOT
from .imap_clients import LETTERS, Mail
from .programs import (
    Account,
    home_directory,
    run,
    run_on_terminal,
    write_secret,
)

UTF_8 = {"LC_ALL": "C.UTF-8"}

_BY_PYTHON = {
    "folded header",
    "empty header values",
    "nested multiparts",
    "unterminated multipart",
}
REWRITTEN = {
    "getmail": _BY_PYTHON | {"many header lines", "long header line"},
    "offlineimap": _BY_PYTHON,
    "s-nail": {"unterminated multipart", "blank lines", "lone dots"},
    "neomutt": set[str](),
}


@dataclass(frozen=True, slots=True)
class Reader:
    """A program with its home; *imap* and *smtp* are one user's, at one server."""

    imap: Account
    smtp: Account
    home: Path

    @property
    def imap_url(self) -> str:
        return f"imaps://{self.imap.user}@{self.imap.host}:{self.imap.port}"

    @property
    def smtp_place(self) -> str:
        return f"{self.smtp.host}:{self.smtp.port}"


def make_maildir(folder: Path, messages: Sequence[bytes] = ()) -> None:
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(parents=True)
    for number, message in enumerate(messages):
        file = folder / "cur" / f"1700000000.{number}_1.lab:2,"
        file.write_bytes(message.replace(b"\r\n", b"\n"))


def read_maildir(folder: Path) -> Mail:
    return {
        file.read_bytes().replace(b"\n", b"\r\n"): frozenset(
            LETTERS[letter] for letter in file.name.partition(":2,")[2]
        )
        for file in maildir_files(folder)
    }


def maildir_files(folder: Path) -> list[Path]:
    return [*folder.glob("new/*"), *folder.glob("cur/*")]


# -- NeoMutt -----------------------------------------------------------------------

_COUNTED = re.compile(
    rb"^Content-Length: \d+\r\n(?:Lines: \d+\r\n)?(?=\r\n)", re.MULTILINE
)


def before_neomutt(message: bytes) -> bytes:
    """What it has made *message* of."""
    return _COUNTED.sub(b"", message, count=1)


class Neomutt(Reader):
    """Keys are pressed on a terminal; `=` is where the mailboxes of the server are."""

    def configure(self) -> None:
        write_secret(
            self.home / "muttrc",
            f'set ssl_ca_certificates_file="{self.imap.ca_file}"',
            f'set certificate_file="{self.imap.ca_file}"',
            "set ssl_use_system_certs=no ssl_force_tls=yes",
            f'set folder="{self.imap_url}/" imap_pass="{self.imap.password}"',
            f'set smtp_url="smtps://{self.smtp.user}@{self.smtp_place}/"',
            f'set smtp_pass="{self.smtp.password}"',
            f'set from="{self.smtp.user}@here.example" hostname=client.example',
            "set copy=no mbox_type=Maildir mark_old=no sort=mailbox-order",
            "set delete=yes quit=yes move=no wait_key=no sleep_time=0",
            "set confirmappend=no confirmcreate=no",
        )

    def press(self, mailbox: str, *keys: str) -> None:
        """Open a mailbox, do what the keys mean, write what has changed, and leave."""
        pushed = f'push "{"".join(keys)}<sync-mailbox><quit>"'
        options = ["-n", "-F", "muttrc", "-f", mailbox, "-e", pushed]
        run_on_terminal("neomutt", *options, home=self.home)

    def messages(self, folder: str) -> list[bytes]:
        """What it has put into a maildir of its own."""
        found = read_maildir(self.home / folder)
        return [before_neomutt(message) for message in found]

    def send(self, subject: str, text: str, to: str) -> None:
        options = ["-n", "-F", "muttrc", "-s", subject, "--", to]
        run("neomutt", *options, home=self.home, stdin=text.encode(), more=UTF_8)


@contextmanager
def neomutt(imap: Account, smtp: Account) -> Iterator[Neomutt]:
    with home_directory() as home:
        reader = Neomutt(imap, smtp, home)
        reader.configure()
        yield reader


# -- OfflineIMAP -------------------------------------------------------------------


class Offlineimap(Reader):
    """All mailboxes of an account, and a copy of them in maildirs below `mail`."""

    @property
    def mail(self) -> Path:
        return self.home / "mail"

    def configure(self) -> None:
        write_secret(
            self.home / "offlineimaprc",
            "[general]",
            "accounts = lab",
            f"metadata = {self.home}/metadata",
            "ui = basic",
            "[Account lab]",
            "localrepository = near",
            "remoterepository = far",
            "[Repository near]",
            "type = Maildir",
            f"localfolders = {self.mail}",
            "sep = /",
            "[Repository far]",
            "type = IMAP",
            f"remotehost = {self.imap.host}",
            f"remoteport = {self.imap.port}",
            f"remoteuser = {self.imap.user}",
            f"remotepass = {self.imap.password}",
            "ssl = yes",
            f"sslcacertfile = {self.imap.ca_file}",
        )

    def sync(self) -> bytes:
        """Make both sides the same; gives what it said."""
        return run("offlineimap", "-c", "offlineimaprc", "-o", home=self.home)

    def file(self, mailbox: str, message: bytes) -> Path:
        [found] = [
            file
            for file in maildir_files(self.mail / mailbox)
            if file.read_bytes().replace(b"\n", b"\r\n") == message
        ]
        return found

    def flag(self, mailbox: str, message: bytes, letters: str) -> None:
        """`letters` are its flags from now on, in the order of the alphabet."""
        file = self.file(mailbox, message)
        base = file.name.partition(":2,")[0]
        file.rename(self.mail / mailbox / "cur" / f"{base}:2,{letters}")

    def move(self, mailbox: str, message: bytes, to: str) -> None:
        """Under a new name, as a program does that knows nothing of OfflineIMAP."""
        target = self.mail / to / "cur" / "1700000001.1_1.lab:2,S"
        self.file(mailbox, message).rename(target)


@contextmanager
def offlineimap(imap: Account, smtp: Account) -> Iterator[Offlineimap]:
    with home_directory() as home:
        reader = Offlineimap(imap, smtp, home)
        reader.configure()
        yield reader


# -- getmail -----------------------------------------------------------------------

_ADDED = re.compile(rb"\AReturn-Path: [^\n]*\n|^X-getmail-[^\n]*\n(?=\n)", re.MULTILINE)


def getmail(account: Account, retriever: str, *, delete: bool = False) -> list[bytes]:
    """What it has not fetched before, in no order.

    retriever: "SimpleIMAPSSLRetriever", "SimplePOP3SSLRetriever".
    """
    with home_directory() as home:
        make_maildir(home / "inbox")
        # It delivers as nobody, if that is not to be as root.
        shutil.copy(account.ca_file, home / "ca.pem")
        write_secret(
            home / "getmailrc",
            "[retriever]",
            f"type = {retriever}",
            f"server = {account.host}",
            f"port = {account.port}",
            f"username = {account.user}",
            f"password = {account.password}",
            f"ca_certs = {home}/ca.pem",
            "[destination]",
            "type = Maildir",
            f"path = {home}/inbox/",
            "[options]",
            f"delete = {'true' if delete else 'false'}",
            "read_all = false",
            "delivered_to = false",
            "received = false",
        )
        user = "nobody" if IS_ROOT else None
        if user is not None:
            for file in (home, *home.rglob("*")):
                shutil.chown(file, user)
        run("getmail", "--getmaildir", home, home=home, user=user)
        files = maildir_files(home / "inbox")
        return [_ADDED.sub(b"", f.read_bytes()).replace(b"\n", b"\r\n") for f in files]


# -- S-nail ------------------------------------------------------------------------

_QUOTED = re.compile(rb"^>(?=From \S+ \w{3} \w{3} +\d)", re.MULTILINE)
_STATUS = re.compile(rb"^(?:X-)?Status: [A-Z]+\r\n", re.MULTILINE)


def before_snail(message: bytes) -> bytes:
    """What it has made *message* of."""
    header, _, body = message.partition(b"\r\n\r\n")
    if body == b"\r\n" or body.endswith(b"\r\n\r\n"):
        body = body.removesuffix(b"\r\n")
    header = _STATUS.sub(b"", header + b"\r\n")
    return header + b"\r\n" + _QUOTED.sub(b"", body)


def _lines(*commands: str) -> bytes:
    return "".join(f"{command}\n" for command in commands).encode()


class Snail(Reader):
    """Commands are said to it, a line each."""

    def configure(self) -> None:
        write_secret(
            self.home / "mailrc",
            "set v15-compat",
            f"set tls-ca-file={self.imap.ca_file} tls-ca-no-defaults",
            "set tls-verify=strict",
            f"set mta=smtps://{self.smtp.user}@{self.smtp_place} smtp-auth=plain",
            f"set password-{self.smtp.user}@{self.smtp_place}={self.smtp.password}",
            f"set from={self.smtp.user}@here.example hostname=client.example",
            f"set folder={self.imap_url} password={self.imap.password}",
            "set quiet",
        )

    def say(self, mailbox: str, *commands: str) -> bytes:
        """Open a mailbox, do that, and write what has changed; gives what it said."""
        return self._run("-f", mailbox, stdin=_lines(*commands, "quit"))

    def look(self, mailbox: str, *commands: str) -> bytes:
        """Open a mailbox, do that, and change nothing there; gives what it said."""
        return self._run("-R", "-f", mailbox, stdin=_lines(*commands, "exit"))

    def send(self, subject: str, text: str, to: str) -> None:
        self._run("-s", subject, to, stdin=text.encode())

    def messages(self, folder: str) -> list[bytes]:
        """What it has put into a maildir of its own."""
        found = read_maildir(self.home / folder)
        return [before_snail(message) for message in found]

    def _run(self, *options: str, stdin: bytes) -> bytes:
        environment = {"MAILRC": f"{self.home}/mailrc", **UTF_8}
        return run(
            "s-nail", "-n", *options, home=self.home, stdin=stdin, more=environment
        )


@contextmanager
def snail(imap: Account, smtp: Account) -> Iterator[Snail]:
    with home_directory() as home:
        reader = Snail(imap, smtp, home)
        reader.configure()
        yield reader
