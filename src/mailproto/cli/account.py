"""Whose mail, where, and how: what every command that logs in is told."""

from __future__ import annotations

import argparse
import getpass
import math
import os
import ssl
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .. import sasl
from .._connection import Security
from ..services import MailUrl, Protocol, parse_url
from .failure import Failure


def add_account(parser: argparse.ArgumentParser) -> None:
    """What is needed to log in, to whatever service."""
    add_log_in(parser)
    parser.add_argument(
        "--security",
        choices=[security.value for security in Security],
        help="what to demand of TLS (default: implicit for imaps, starttls for imap; "
        "cleartext sends the password without)",
    )


def add_log_in(parser: argparse.ArgumentParser, timeout: float = 60.0) -> None:
    """Password, mechanism, whom to trust, how long to wait."""
    parser.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="its first line is the password; else the URL, $MAILPROTO_PASSWORD, "
        "or a question on the terminal",
    )
    parser.add_argument("--cafile", type=Path, help="whom to trust, in PEM")
    parser.add_argument(
        "--mechanism",
        type=str.upper,
        help="log in by this and nothing else: a SASL mechanism, APOP, or USER; the "
        "password is the token of OAUTHBEARER and XOAUTH2 (default: what ;AUTH= in "
        "the URL says, or the best that is offered)",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=timeout,
        help=f"seconds for each step ({timeout:g})",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}")
    return seconds


@dataclass
class Account:
    """Whose mail, where, and how."""

    url: MailUrl
    password: str = field(repr=False)
    security: Security
    tls: ssl.SSLContext | None

    @property
    def maildrop(self) -> str:
        """Its name for what was seen: the same with TLS and without."""
        port = "" if self.url.port == self.url.service.port else f":{self.url.port}"
        return f"{self.url.name}@{self.url.host}{port}"


def read_account(
    options: argparse.Namespace, *protocols: Protocol, anonymous: bool = False
) -> Account:
    """The account that the URL names; *anonymous*: it need not be anybody's."""
    url = parse_url(options.url)
    if url.service.protocol not in protocols:
        known = " or ".join(protocol.upper() for protocol in protocols)
        raise Failure(2, f"not the URL of {known}: {url}")
    if url.name is None and not anonymous:
        raise Failure(2, f"the URL does not say whose mail: {url.scheme}://NAME@HOST")
    tls = read_trust(options.cafile)
    chosen = options.security
    security = Security(chosen) if chosen is not None else url.service.security
    password = ""
    if url.name is not None and not url.service.logged_in:
        password = read_password(options, f"{url.name} at {url.host}", url.password)
    return Account(url, password, security, tls)


def read_trust(cafile: Path | None) -> ssl.SSLContext | None:
    """Who signs what is trusted; ``None``: those whom this machine trusts."""
    if cafile is None:
        return None
    try:
        return ssl.create_default_context(cafile=cafile)
    except OSError as error:  # it does not name the file
        why = "no certificate in it" if isinstance(error, ssl.SSLError) else error
        raise Failure(2, f"--cafile {cafile}: {why}") from error


def read_password(
    options: argparse.Namespace, whose: str, in_url: str | None = None
) -> str:
    """The password from where one says, or else asked for on the terminal."""
    if options.password_file is not None:
        text: str = options.password_file.read_text(encoding="utf-8")
        password = text.split("\n")[0]
    elif in_url is not None:
        password = in_url
    elif "MAILPROTO_PASSWORD" in os.environ:
        password = os.environ["MAILPROTO_PASSWORD"]
    elif sys.stdin.isatty():
        try:
            password = getpass.getpass(f"Password of {whose}: ")
        except EOFError:
            raise Failure(2, "no password was typed") from None
    else:
        raise Failure(2, "no password: --password-file or $MAILPROTO_PASSWORD")
    if not password:
        raise Failure(2, "the password is empty")
    return password


def mechanisms_for(
    mechanism: str | None, name: str, password: str
) -> list[sasl.Mechanism] | None:
    """*mechanism* and nothing else; ``None``: whatever is best.

    USER is none of SASL's: USER and PASS, or LOGIN of IMAP.
    """
    match mechanism:
        case None | "*":
            return None
        case "USER":
            return []
        case "OAUTHBEARER" | "XOAUTH2":
            known = sasl.candidates(name, token=password)
        case _:
            known = sasl.candidates(name, password=password)
    fit = [each for each in known if each.mechanism == mechanism]
    if not fit:
        raise Failure(2, f"{mechanism}: no mechanism for a name and a password")
    return fit
