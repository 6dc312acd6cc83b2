"""Real POP3 clients, driven to fetch a mailbox: each gives the messages as bytes.

A client gets a home directory of its own, a configuration made for the occasion, and
one minute. It verifies the server's certificate against `ca_file` and nothing else.
All of them work through the mailbox in its order and leave by QUIT.

What comes back is what the program wrote, made into mail as it was on the wire where
the program is known to change it:

- curl writes the octets as they are.
- fetchmail does too when told so (`no stripcr`, `no rewrite`, `invisible`, ...).
- mpop writes a maildir in Unix manner: every line end LF. A lone LF, or CR before LF,
  cannot be told apart afterwards, so mail for it keeps to CRLF.
"""

from pathlib import Path

from .programs import Account, home_directory, run, write_secret


def curl(account: Account, *, delete: bool = False, auth: str = "") -> list[bytes]:
    """CAPA, log in, UIDL; again for RETR of each message, and for DELE of each.

    auth: the SASL mechanism to use, or "+APOP"; otherwise curl chooses.
    """
    scheme = "pop3s" if account.security == "implicit" else "pop3"
    url = f"{scheme}://{account.host}:{account.port}/"
    options = ["-sS", "--user", f"{account.user}:{account.password}"]
    options += ["--cacert", str(account.ca_file)]
    if account.security == "stls":
        options += ["--ssl-reqd"]
    if auth:
        options += ["--login-options", f"AUTH={auth}"]
    with home_directory() as home:
        listing = run("curl", *options, "-X", "UIDL", url, home=home)
        # To curl, an empty list is a blank line.
        count = len(listing.strip().splitlines())
        if not count:
            return []
        # [1-n] stands for n addresses, which curl visits through one connection.
        addresses = f"{url}[1-{count}]"
        run("curl", *options, "-o", "#1", addresses, home=home)
        if delete:
            # --head: no lines follow the answer.
            run("curl", *options, "--head", "-X", "DELE", addresses, home=home)
        return [(home / str(number)).read_bytes() for number in range(1, count + 1)]


def fetchmail(
    account: Account, *, delete: bool = False, auth: str = "any"
) -> list[bytes]:
    """CAPA, log in, STAT, LIST or UIDL; RETR of each (and DELE).

    auth: "password", "cram-md5", ...; `any` leaves it to fetchmail.
    The certificate must be for localhost, and say so in its common name too: fetchmail
    does not look for addresses in it.
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
            f"poll {account.host} protocol pop3 port {account.port} auth {auth} uidl",
            f"user {_quoted(account.user)} password {_quoted(account.password)}",
            f"{tls[account.security]} sslcertck sslcommonname localhost",
            f"sslcertfile {_quoted(str(account.ca_file))}",
            f"fetchall {'no keep' if delete else 'keep'}",
            "no rewrite no stripcr pass8bits no dropstatus no dropdelivered",
            f"mda {_quoted(f'cd {home} && {deliver}')}",
        )
        options = ["--fetchmailrc", "fetchmailrc", "--nodetach", "--nosyslog", "-v"]
        # The common place for the lock would allow one fetchmail at a time.
        options += ["--idfile", f"{home}/ids", "--pidfile", f"{home}/pid"]
        no_mail = 1
        run("fetchmail", *options, home=home, accept=[0, no_mail])
        files = sorted((home / "inbox").iterdir(), key=lambda file: int(file.name))
        return [file.read_bytes() for file in files]


def mpop(account: Account, *, delete: bool = False, auth: str = "on") -> list[bytes]:
    """CAPA, log in, STAT, UIDL, LIST; RETR of each, pipelined where offered (and DELE).

    auth: "user", "plain", "cram-md5", "scram-sha-256", ...; `on` leaves it to mpop,
    which then sends no plain password without TLS.
    """
    with home_directory() as home:
        for folder in ("tmp", "new", "cur"):
            (home / "inbox" / folder).mkdir(parents=True)
        write_secret(
            home / "mpoprc",
            "account default",
            f"host {account.host}",
            f"port {account.port}",
            f'user "{account.user}"',
            f'password "{account.password}"',
            f"auth {auth}",
            f"tls {'off' if account.security == 'none' else 'on'}",
            f"tls_starttls {'on' if account.security == 'stls' else 'off'}",
            f"tls_trust_file {account.ca_file}",
            f"keep {'off' if delete else 'on'}",
            "received_header off",
            f"uidls_file {home}/uidls",
            f"delivery maildir {home}/inbox",
        )
        run("mpop", "-C", home / "mpoprc", "--debug", home=home)
        files = sorted((home / "inbox" / "new").iterdir(), key=_number_in_maildir)
        return [file.read_bytes().replace(b"\n", b"\r\n") for file in files]


def _number_in_maildir(file: Path) -> int:
    """`1700000000.M123456P99Q7.host` is the seventh that a process delivered."""
    return int(file.name.split(".")[1].partition("Q")[2])


def _quoted(text: str) -> str:
    """As a string of fetchmail's configuration."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
