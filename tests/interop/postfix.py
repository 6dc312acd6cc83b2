"""A real Postfix 3.7 on the loopback, in a directory that goes with it.

    with Dovecot() as dovecot, Postfix(logins=dovecot) as server:
        # submit at server.submission_port, as server.user with server.password
        server.wait_for_mail(1, server.user)

Four things are not obvious in the configuration:

- Its master must be root, and insists on who owns what in the queue. `postfix start`
  would spend seconds to make sure of that; here master is run at once, as our child.
- It knows no passwords: it asks a Dovecot who may log in, through TCP, because its own
  account must not enter Dovecot's directory.
- It rewrites the header of mail from its own machine, and everything comes from there:
  `local_header_rewrite_clients` is empty, so mail stays as it is. What it adds stands
  above: see `daemon.below_trace`.
- A maildir has Unix lines, so that a lone LF, or CR before LF, cannot be told apart in
  it afterwards. Mail that is judged octet for octet keeps to CRLF.
"""

import grp
import os
import pwd
import time
from pathlib import Path
from typing import ClassVar

from .daemon import IS_ROOT, Daemon
from .dovecot import Dovecot
from .programs import NeedsRoot, find, home_directory, run

DOMAIN = "lab.example"
"""The domain whose users have a maildir here: those of Dovecot, and JUERGEN."""
RELAYED = "beyond.example"
"""The domain whose mail goes on to `relay_to`. To all others nothing is relayed."""
JUERGEN = "jürgen"
"""One who cannot be written to without SMTPUTF8."""
REFUSED = {"full": "452 4.2.2 Mailbox full", "blocked": "550 5.7.1 Blocked"}
"""Local part -> what RCPT is answered. Those who do not exist: 550 5.1.1."""

MAIN = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/postfix.log
maillog_file_prefixes = {directory}
myhostname = mail.{domain}
mydomain = {domain}
inet_protocols = ipv4
inet_interfaces = loopback-only
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
mynetworks =
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
local_header_rewrite_clients =
notify_classes =
biff = no

virtual_mailbox_domains = {domain}
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = texthash:{directory}/mailboxes
virtual_mailbox_limit = 0
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
relay_domains = {relayed}
relay_transport = {relay_transport}
relay_recipient_maps =
default_transport = discard
smtp_tls_security_level = {relay_tls}
lmtp_tls_security_level = {relay_tls}
smtp_tls_secure_cert_match = localhost
lmtp_tls_secure_cert_match = localhost
smtp_tls_CAfile = {relay_ca_file}
lmtp_tls_CAfile = {relay_ca_file}
smtp_line_length_limit = 0
lmtp_line_length_limit = 0

smtpd_tls_security_level = may
smtpd_tls_chain_files = {directory}/key.pem, {directory}/cert.pem
smtpd_tls_auth_only = {tls_auth_only}
smtpd_sasl_auth_enable = {sasl}
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl_path}
smtpd_sasl_security_options = noanonymous
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access texthash:{directory}/refused
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_authorized_xforward_hosts = 127.0.0.0/8
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
in_flow_delay = 0
message_size_limit = {size}
mailbox_size_limit = 0
"""

MASTER = """\
{host}:{smtp} inet n - n - - smtpd
{host}:{submission} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
{host}:{submissions} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
virtual unix - n n - - virtual
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
"""

QUEUES = ("incoming", "active", "deferred", "bounce", "defer", "trace", "corrupt")


class Postfix(Daemon):
    """SMTP, submission and submissions; mail for users goes into maildirs.

    logins: knows the users and who may log in; without it nobody can.
    plaintext: passwords may be sent without TLS at `smtp_port`, which offers it.
    relay_to: host and port of where mail for RELAYED goes. With relay_ca_file it goes
    there through TLS only, to who proves by it to be localhost.
    lmtp: it goes there by LMTP.
    """

    services = ("smtp", "submission", "submissions")
    greeting = ("smtp",)
    # Where it logs before it has read its configuration; else that would be syslog.
    environment: ClassVar = {
        "POSTLOG_SERVICE": "public/postlog",
        "POSTLOG_HOSTNAME": "mail",
    }
    smtp_port: int
    submission_port: int
    submissions_port: int
    size = 20_000_000

    def __init__(
        self,
        *,
        logins: Dovecot | None = None,
        plaintext: bool = False,
        relay_to: tuple[str, int] | None = None,
        relay_ca_file: Path | None = None,
        lmtp: bool = False,
    ) -> None:
        self.logins = logins
        self.plaintext = plaintext
        self.relay_to = relay_to
        self.relay_ca_file = relay_ca_file
        self.lmtp = lmtp

    def stored(self, user: str) -> list[bytes]:
        """What the user's maildir holds, in no order, its lines with CRLF."""
        files = (self.directory / "mail" / user / "new").glob("*")
        return [file.read_bytes().replace(b"\n", b"\r\n") for file in files]

    def wait_for_mail(self, count: int, user: str) -> list[bytes]:
        """What is stored once there are `count` messages, or more."""
        folder = self.directory / "mail" / user / "new"
        self._wait_until(
            f"{count} messages to {user}",
            lambda: folder.exists() and len(os.listdir(folder)) >= count,
        )
        return self.stored(user)

    def wait_until_idle(self) -> None:
        """Until whatever was accepted has gone its way."""
        self._wait_until("rest", lambda: not self.queued())

    def queued(self) -> int:
        """How many messages are on their way."""
        folders = (self.directory / "queue" / name for name in QUEUES[:3])
        return sum(len(names) for f in folders for _, _, names in os.walk(f))

    # How it is done.

    def _find(self) -> str:
        find("postconf")
        if not IS_ROOT:
            raise NeedsRoot("Postfix's master")
        with home_directory() as home:
            folder = run("postconf", "-dh", "daemon_directory", home=home)
        return f"{folder.decode().strip()}/master"

    def _furnish(self) -> None:
        self.directory.chmod(0o711)  # Postfix's own account must get through
        owner = pwd.getpwnam("postfix").pw_uid
        group = grp.getgrnam("postdrop").gr_gid
        queue = self.directory / "queue"
        for name in (*QUEUES, "hold", "flush", "saved", "private", "public", "pid"):
            (queue / name).mkdir(0o700, parents=True)
            if name != "pid":  # which is master's, and root's
                os.chown(queue / name, owner, -1)
        os.chown(queue / "public", -1, group)
        (queue / "public").chmod(0o2710)
        (self.directory / "data").mkdir()
        os.chown(self.directory / "data", owner, -1)
        (self.directory / "mail").mkdir()
        nobody = pwd.getpwnam("nobody")
        os.chown(self.directory / "mail", nobody.pw_uid, nobody.pw_gid)
        users = [*(self.logins.users if self.logins else ()), JUERGEN]
        mailboxes = "".join(f"{user}@{DOMAIN} {user}/\n" for user in users)
        refused = "".join(f"{user}@{DOMAIN} {no}\n" for user, no in REFUSED.items())
        self._write("mailboxes", mailboxes)
        self._write("refused", refused)

    def _configure(self) -> None:
        nobody = pwd.getpwnam("nobody")
        relay_tls = "secure" if self.relay_ca_file else "none"
        relay_transport = "error:5.3.2 nowhere to relay to"
        if self.relay_to is not None:
            relay_transport = "smtp:[{}]:{}".format(*self.relay_to)
            if self.lmtp:
                relay_transport = "lmtp:inet:{}:{}".format(*self.relay_to)
        sasl_path = "nowhere"
        if self.logins is not None:
            sasl_path = f"inet:{self.logins.host}:{self.logins.auth_port}"
        main = MAIN.format(
            directory=self.directory,
            domain=DOMAIN,
            relayed=RELAYED,
            uid=nobody.pw_uid,
            gid=nobody.pw_gid,
            relay_transport=relay_transport,
            relay_tls=relay_tls,
            relay_ca_file=self.relay_ca_file or "",
            tls_auth_only="no" if self.plaintext else "yes",
            sasl="yes" if self.logins else "no",
            sasl_path=sasl_path,
            size=self.size,
        )
        ports = {service: getattr(self, f"{service}_port") for service in self.services}
        master = MASTER.format(host=self.host, **ports)
        self._write("main.cf", main)
        self._write("master.cf", master)

    def _write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text, encoding="utf-8")
        # Every process waits two seconds for a file that seems to be in the making.
        old = time.time() - 60
        os.utime(self.directory / name, (old, old))

    def _command(self, program: str) -> list[str | Path]:
        # Should a test run be killed, it is to end by itself, in some minutes.
        return [program, "-d", "-e", "300", "-c", self.directory]
