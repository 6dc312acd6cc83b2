r"""A real Dovecot 2.3 on the loopback: unprivileged, in a directory that goes with it.

    with Dovecot() as server:
        server.deliver(b"Subject: hi\r\n\r\nHello\r\n")
        # USER server.user, PASS server.password at server.host, server.pop3_port

Three things are not obvious in the configuration:

- Dovecot runs as whoever started it, or, when that is root, as `nobody`. A master
  that is not root cannot chroot, so no service may ask for it.
- Dovecot takes a client that has the server's own address for secure, and then
  `disable_plaintext_auth` is void. Clients on the loopback come from 127.0.0.1, so
  `host` is 127.0.0.2: there the rules hold. At localhost it listens all the same.
- Mail is delivered by writing maildir files. Dovecot hands out a file with CRLF as
  it is; LMTP and dovecot-lda would convert line ends and add headers.
"""

import grp
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

from .programs import find

HOST, LOCALHOST = "127.0.0.2", "127.0.0.1"
PATIENCE = 20.0
"""Seconds to start, to log, or to end; a tenth of one is what it usually takes."""
IS_ROOT = os.geteuid() == 0
SERVICES = ("pop3", "pop3s", "imap", "imaps", "lmtp")

USERS = {
    "alice": "wonderland",
    "bob": "can we fix it",
    "carol": 'quote " and backslash \\',
    "dave": "Straße 7",
}
"""Name -> password. No colon: a passwd-file has no way to write one."""

CONFIGURATION = """\
protocols = pop3 imap lmtp
listen = {addresses}
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/dovecot.log
default_internal_user = {account}
default_internal_group = {group}
default_login_user = {account}
first_valid_uid = 1
mail_location = maildir:{directory}/mail/%u
mail_max_userip_connections = 100

ssl = yes
ssl_cert = <{directory}/cert.pem
ssl_key = <{directory}/key.pem
disable_plaintext_auth = {disable_plaintext_auth}
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 apop
auth_failure_delay = 0
auth_verbose = yes
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {directory}/users
}}
userdb {{
  driver = static
  args = uid={account} gid={group} home={directory}/homes/%u
}}
namespace {{
  inbox = yes
  separator = /
}}

service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service dns-client {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


class ServerFailed(Exception):
    """Dovecot did not come up; the text holds its log."""


class Dovecot:
    """POP3, IMAP and LMTP, for as long as the `with` lasts.

    plaintext: passwords may be sent without TLS (which is offered all the same).
    users: name -> password; `user` and `password` are the first of them.
    """

    host = HOST
    pop3_port: int
    pop3s_port: int
    imap_port: int
    imaps_port: int
    lmtp_port: int
    directory: Path
    ca_file: Path

    def __init__(
        self, *, users: Mapping[str, str] = USERS, plaintext: bool = False
    ) -> None:
        self.users = dict(users)
        self.user, self.password = next(iter(self.users.items()))
        self.plaintext = plaintext
        self._delivered = 0
        self._process: subprocess.Popen[bytes] | None = None

    def client_context(self) -> ssl.SSLContext:
        """Verifies as ever, and trusts this server's made CA and no other."""
        return ssl.create_default_context(cafile=self.ca_file)

    def deliver(self, message: bytes, user: str | None = None) -> None:
        """Put it at the end of the user's inbox, octet for octet.

        `message` ends its lines with CRLF. Sessions that are open do not see it.
        """
        inbox = self._inbox(user)
        self._delivered += 1
        # Dovecot sorts by the number of seconds that a name begins with.
        name = f"{1_000_000_000 + self._delivered}.M0P1.localhost"
        if not inbox.exists():
            folders = [inbox, inbox / "tmp", inbox / "new", inbox / "cur"]
            for folder in folders:
                folder.mkdir()
            _hand_over(*folders)
        fresh = inbox / "tmp" / name
        fresh.write_bytes(message)
        _hand_over(fresh)
        fresh.rename(inbox / "new" / name)

    def stored(self, user: str | None = None) -> list[bytes]:
        """What the user's inbox holds on disk, in order of delivery."""
        files = [*self._inbox(user).glob("new/*"), *self._inbox(user).glob("cur/*")]
        return [file.read_bytes() for file in sorted(files, key=lambda file: file.name)]

    def log(self) -> str:
        """What Dovecot has said so far; of a configuration it cannot read, too."""
        logs = sorted(self.directory.glob("*.log"))
        return "".join(log.read_text(errors="replace") for log in logs)

    def wait_for_log(self, text: str) -> None:
        """Until the log holds `text`, which may be written after the client left."""
        self._wait_until(f"{text!r} in its log", lambda: text in self.log())

    def __enter__(self) -> Self:
        program = find("dovecot")
        self.directory = Path(tempfile.mkdtemp(prefix="mailproto-dovecot-"))
        self.ca_file = self.directory / "ca.pem"
        with ExitStack() as on_failure:
            on_failure.callback(self._clean_up)
            self._furnish()
            self._start(program)
            on_failure.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clean_up()

    # From here on: how it is done.

    def _inbox(self, user: str | None) -> Path:
        return self.directory / "mail" / (user or self.user)

    def _furnish(self) -> None:
        """Put all into the directory that does not depend on the ports."""
        ca = trustme.CA()
        ca.cert_pem.write_to_path(self.ca_file)
        certificate = ca.issue_cert(
            "localhost", HOST, LOCALHOST, common_name="localhost"
        )
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(self.directory / "cert.pem", append=True)
        certificate.private_key_pem.write_to_path(self.directory / "key.pem")
        for folder in ("run", "state", "mail", "homes"):
            (self.directory / folder).mkdir()
        lines = [f"{user}:{{PLAIN}}{word}\n" for user, word in self.users.items()]
        (self.directory / "users").write_text("".join(lines), encoding="utf-8")
        _hand_over(self.directory, *self.directory.iterdir())

    def _start(self, program: str) -> None:
        """Run it; on other ports if another program was quicker to take one."""
        for tries_left in (2, 1, 0):
            self._configure(free_ports(len(SERVICES)))
            try:
                self._process = self._spawn(program)
                for port in (self.pop3_port, self.imap_port, self.lmtp_port):
                    self._wait_until("greeting", partial(_greets, port))
            except ServerFailed as failure:
                self._end()
                if not tries_left or "already in use" not in str(failure):
                    raise
            else:
                return

    def _configure(self, ports: list[int]) -> None:
        for service, port in zip(SERVICES, ports, strict=True):
            setattr(self, f"{service}_port", port)
        account, group = _identity()
        text = CONFIGURATION.format(
            addresses=f"{HOST}, {LOCALHOST}",
            directory=self.directory,
            account=account,
            group=group,
            disable_plaintext_auth="no" if self.plaintext else "yes",
            **dict(zip(SERVICES, ports, strict=True)),
        )
        (self.directory / "dovecot.conf").write_text(text)

    def _spawn(self, program: str) -> subprocess.Popen[bytes]:
        account, group = _identity() if IS_ROOT else (None, None)
        with open(self.directory / "stdio.log", "ab") as log:
            return subprocess.Popen(
                [program, "-F", "-c", self.directory / "dovecot.conf"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=account,
                group=group,
                extra_groups=[] if IS_ROOT else None,
            )

    def _wait_until(self, what: str, happens: Callable[[], bool]) -> None:
        """Ask again and again; ServerFailed if it takes too long or Dovecot ends."""
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE
        while not happens():
            if self._process.poll() is not None:
                raise ServerFailed(f"Dovecot ended by itself:\n{self.log()}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"Dovecot gave no {what} in time:\n{self.log()}")
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.01)

    def _end(self) -> None:
        """End the process that was started, and its children."""
        if self._process is None or self._process.poll() is not None:
            return
        # The session is its own, so this reaches it and its children only. The master
        # alone would wait a second before it tells them.
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _clean_up(self) -> None:
        self._end()
        shutil.rmtree(self.directory)


def _identity() -> tuple[str, str]:
    """The account and the group that Dovecot runs as, by name."""
    if IS_ROOT:
        return "nobody", "nogroup"
    return pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name


def _hand_over(*paths: Path) -> None:
    """Make them Dovecot's, which is not root even if we are."""
    if IS_ROOT:
        for path in paths:
            shutil.chown(path, *_identity())


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, and are likely to be so still."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in held:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in held]


def _greets(port: int) -> bool:
    """Whether a service there accepts us and says something."""
    try:
        with socket.create_connection((HOST, port), timeout=5) as peer:
            return bool(peer.recv(512))
    except OSError:
        return False
