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
from collections.abc import Mapping
from pathlib import Path

from .daemon import HOST, IS_ROOT, LOCALHOST, Daemon
from .programs import find

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
auth_username_format = %n
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
service auth {{
  inet_listener auth {{
    port = {auth}
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


class Dovecot(Daemon):
    """POP3, IMAP and LMTP, for as long as the `with` lasts; `auth` is for Postfix.

    plaintext: passwords may be sent without TLS (which is offered all the same).
    users: name -> password; `user` and `password` are the first of them.
    """

    services = ("pop3", "pop3s", "imap", "imaps", "lmtp", "auth")
    greeting = ("pop3", "imap", "lmtp")
    pop3_port: int
    pop3s_port: int
    imap_port: int
    imaps_port: int
    lmtp_port: int
    auth_port: int

    def __init__(
        self, *, users: Mapping[str, str] = USERS, plaintext: bool = False
    ) -> None:
        self.users = dict(users)
        self.user, self.password = next(iter(self.users.items()))
        self.plaintext = plaintext
        self._delivered = 0

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

    # From here on: how it is done.

    def _inbox(self, user: str | None) -> Path:
        return self.directory / "mail" / (user or self.user)

    def _find(self) -> str:
        return find("dovecot")

    def _furnish(self) -> None:
        for folder in ("run", "state", "mail", "homes"):
            (self.directory / folder).mkdir()
        lines = [f"{user}:{{PLAIN}}{word}\n" for user, word in self.users.items()]
        (self.directory / "users").write_text("".join(lines), encoding="utf-8")
        _hand_over(self.directory, *self.directory.iterdir())

    def _configure(self) -> None:
        account, group = _identity()
        text = CONFIGURATION.format(
            addresses=f"{HOST}, {LOCALHOST}",
            directory=self.directory,
            account=account,
            group=group,
            disable_plaintext_auth="no" if self.plaintext else "yes",
            **{service: getattr(self, f"{service}_port") for service in self.services},
        )
        (self.directory / "dovecot.conf").write_text(text)

    def _command(self, program: str) -> list[str | Path]:
        return [program, "-F", "-c", self.directory / "dovecot.conf"]

    def _account(self) -> tuple[str, str] | None:
        return _identity() if IS_ROOT else None


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
