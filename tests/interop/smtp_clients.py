r"""Real SMTP clients, driven to send one message to one or more recipients.

A client gets a home directory of its own, a configuration made for the occasion, and
one minute. It verifies the server's certificate against `ca_file` and nothing else.
The message is given as bytes whose lines end with CRLF, and arrives octet for octet,
unless it holds what the program is known to change:

- swaks puts a line end for `\n`, and other text for `%DATE%` and the like.
- msmtp removes a header field Bcc; the others it is told to leave alone.
- curl changes nothing.

ProgramFailed, if the program could not hand over the message, or a recipient was
refused; the text holds the server's reply.
"""

from collections.abc import Sequence

from .programs import Account, home_directory, run, write_secret

NAME = "client.lab.example"
"""What a client calls itself."""


def swaks(
    account: Account,
    message: bytes,
    sender: str,
    recipients: Sequence[str],
    *,
    auth: str = "",
) -> None:
    """EHLO, AUTH, MAIL, RCPT, DATA, QUIT, one after the other.

    auth: "PLAIN", "LOGIN", "CRAM-MD5"; without it there is no log-in. One recipient
    that was accepted is enough for it: the message is sent, and nothing is wrong.
    """
    tls = {"implicit": "--tls-on-connect", "stls": "--tls", "none": ""}
    options = ["--server", account.host, "--port", account.port, "--helo", NAME]
    options += ["--from", sender, "--to", ",".join(recipients)]
    options += ["--silent", "2", "--suppress-data"]
    if account.security != "none":
        options += [tls[account.security], "--tls-verify"]
        options += ["--tls-ca-path", account.ca_file]
    with home_directory() as home:
        if auth:
            # A password in the arguments can be seen by everybody.
            write_secret(
                home / ".swaksrc",
                f"--auth {auth}",
                f"--auth-user {account.user}",
                f"--auth-password {account.password}",
            )
        # It ends the text with CRLF and a dot in any case, but takes off one that is
        # there: so a last line that is a dot stays.
        (home / "message").write_bytes(message + b".\r\n")
        run("swaks", *map(str, options), "--data", "@message", home=home)


def msmtp(
    account: Account,
    message: bytes,
    sender: str,
    recipients: Sequence[str],
    *,
    auth: str = "",
) -> None:
    """EHLO, AUTH, then MAIL, RCPT and DATA together where the server offers it, QUIT.

    auth: "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"; without it there
    is no log-in. Once a recipient is refused, no message is sent.
    """
    with home_directory() as home:
        write_secret(
            home / "msmtprc",
            "account default",
            f"host {account.host}",
            f"port {account.port}",
            f"domain {NAME}",
            f"auth {auth.lower() or 'off'}",
            f'user "{account.user}"',
            f'password "{account.password}"',
            f"tls {'off' if account.security == 'none' else 'on'}",
            f"tls_starttls {'on' if account.security == 'stls' else 'off'}",
            f"tls_trust_file {account.ca_file}",
            "set_date_header off",
            "set_from_header off",
        )
        options = ["-C", str(home / "msmtprc"), "-f", sender, "--", *recipients]
        # It reads Unix lines, and takes a CR for text.
        lines = message.replace(b"\r\n", b"\n")
        run("msmtp", *options, home=home, stdin=lines)


def curl(
    account: Account,
    message: bytes,
    sender: str,
    recipients: Sequence[str],
    *,
    auth: str = "",
) -> None:
    """EHLO, AUTH, MAIL, RCPT, DATA, QUIT, one after the other.

    auth: "PLAIN", "LOGIN", "CRAM-MD5"; without it there is no log-in. Once a recipient
    is refused, no message is sent.
    """
    scheme = "smtps" if account.security == "implicit" else "smtp"
    options = ["-sS", "--cacert", str(account.ca_file), "--mail-from", sender]
    for recipient in recipients:
        options += ["--mail-rcpt", recipient]
    if account.security == "stls":
        options += ["--ssl-reqd"]
    if auth:
        options += ["--user", f"{account.user}:{account.password}"]
        options += ["--login-options", f"AUTH={auth}"]
    url = f"{scheme}://{account.host}:{account.port}/{NAME}"
    with home_directory() as home:
        (home / "message").write_bytes(message)
        run("curl", *options, "--upload-file", "message", url, home=home)
