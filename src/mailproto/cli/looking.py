"""What a mail service is like from outside: greeting, TLS, certificate, what it offers.

Nobody's password ever comes here, and every connection has Security.IMPLICIT or
OPTIONAL, by which none could leave.  So a certificate that is not trusted does no harm:
it is told, and the rest is looked at all the same.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from .. import imap, pop3, sasl, smtp
from .._command import Script
from .._connection import ClientConnection, Security
from .._text import printable
from ..asyncio import Session, connect
from ..errors import CommandFailed, MailError
from ..services import Protocol, Service
from .certificate import Certificate
from .reasons import words

KNOCK: Final = 2.0  # seconds to find out whether anybody listens who says nothing
FAREWELL: Final = 1.0  # seconds for the answer to QUIT


class Fault(StrEnum):
    """What is wrong with a certificate; the names are those of the JSON report."""

    EXPIRED = "expired"
    NOT_YET = "not-yet-valid"
    UNTRUSTED = "not-trusted"
    WRONG_NAME = "wrong-name"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a certificate, and how to say it."""

    fault: Fault
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service is, or should be."""

    service: Service
    host: str
    port: int


@dataclass(slots=True)
class Look:
    """What was found; what was not found out is empty, or ``None``."""

    place: Place
    reachable: bool = False
    error: str = ""  #: where it ended, if not by itself
    tls: str = ""  #: the version
    cipher: str = ""
    certificate: Certificate | None = None
    problems: tuple[Problem, ...] = ()
    greeting: str = ""
    capabilities: tuple[str, ...] = ()  #: with TLS, if there is any
    mechanisms: tuple[str, ...] = ()  #: the same; USER/PASS, LOGIN, APOP among them
    cleartext: bool | None = None  #: whether it takes passwords without TLS
    complete: bool = False  #: all was asked that there was to ask

    @property
    def trusted(self) -> bool:
        """Whether there is TLS, to whom we mean."""
        return bool(self.tls) and not self.problems


def client(service: Service, security: Security) -> Any:
    """The machine that speaks what is spoken there."""
    match service.protocol:
        case Protocol.POP3:
            return pop3.Client(security)
        case Protocol.IMAP:
            return imap.Client(security)
        case Protocol.LMTP:
            return smtp.Client(security, dialect=smtp.LMTP)
        case _:
            return smtp.Client(security)


async def look(place: Place, trust: ssl.SSLContext, limit: float) -> Look:
    """Look at one service, for *limit* seconds at most; it raises nothing.

    By *trust* it is decided whether the certificate is good.
    """
    found = Look(place)
    try:
        async with asyncio.timeout(limit):
            try:
                await _visit(found, trust)
            except ssl.SSLCertVerificationError as error:
                found.reachable = True
                found.problems = (_problem(error, place.host),)
                await _visit(found, _any_certificate())
    except TimeoutError:
        if not found.complete:  # or it is only slow to hang up
            found.reachable = found.reachable or await _listens(place)
            found.error = f"no answer within {limit:g} seconds"
    except UnicodeError:  # of IDNA
        found.error = "not the name of a host"
    except (OSError, MailError) as error:
        found.reachable = found.reachable or not _unreached(error)
        found.error = say_why(error)
    return found


async def _visit(found: Look, context: ssl.SSLContext) -> None:
    """One connection; what was found before it broke stays."""
    place = found.place
    implicit = place.service.security is Security.IMPLICIT
    conn = client(place.service, Security.IMPLICIT if implicit else Security.OPTIONAL)
    async with await connect(conn, place.host, place.port, tls=context) as session:
        found.reachable = True
        found.greeting = printable(" ".join(session.greeting.text.split("\n")))
        _note_tls(found, session)
        inquiry = _Inquiry(found, conn)
        try:
            await session.run(inquiry.run())
        finally:
            _note_tls(found, session)
        found.complete = True
        await leave(session)


def _note_tls(found: Look, session: Session[Any]) -> None:
    tls = session.ssl_object
    if tls is None or found.tls or not session.conn.tls:
        return
    found.tls = tls.version() or ""
    found.cipher = (tls.cipher() or ("",))[0]
    der = tls.getpeercert(binary_form=True)
    try:
        found.certificate = Certificate.read(der or b"")
    except ValueError:  # of a kind that only OpenSSL understands
        return
    if found.problems:
        found.problems = _all_problems(
            found.problems[0], found.certificate, found.place
        )


# -- certificates --------------------------------------------------------------------

# OpenSSL's x509_vfy.h.
_VERIFY: Final = {
    9: (Fault.NOT_YET, "not valid yet"),
    10: (Fault.EXPIRED, "expired"),
    18: (Fault.UNTRUSTED, "self-signed, and not known here"),
    19: (Fault.UNTRUSTED, "signed by an authority that is not known here"),
    20: (Fault.UNTRUSTED, "signed by an authority that is not known here"),
    21: (Fault.UNTRUSTED, "signed by an authority that is not known here"),
    62: (Fault.WRONG_NAME, "for another name than {host}"),
    64: (Fault.WRONG_NAME, "for another address than {host}"),
}


def _problem(error: ssl.SSLCertVerificationError, host: str) -> Problem:
    """What OpenSSL stopped at, which is the first of perhaps several."""
    other = (Fault.OTHER, error.verify_message)
    fault, text = _VERIFY.get(error.verify_code, other)
    return Problem(fault, text.format(host=host) if fault is not Fault.OTHER else text)


def _all_problems(
    first: Problem, certificate: Certificate, place: Place
) -> tuple[Problem, ...]:
    """The same, with dates and names, and what else is to be seen."""
    now = datetime.now(UTC)
    found = [first] if first.fault in (Fault.UNTRUSTED, Fault.OTHER) else []
    if certificate.ends < now:
        found.append(Problem(Fault.EXPIRED, f"expired on {certificate.ends:%Y-%m-%d}"))
    if certificate.starts > now:
        since = f"{certificate.starts:%Y-%m-%d}"
        found.append(Problem(Fault.NOT_YET, f"not valid before {since}"))
    if not certificate.fits(place.host):
        names = printable(", ".join(certificate.names[:3]) or certificate.subject)
        more = ", ..." if len(certificate.names) > 3 else ""
        text = f"for {names}{more}, not for {place.host}"
        found.append(Problem(Fault.WRONG_NAME, text))
    if first.fault not in (each.fault for each in found):
        found.insert(0, first)  # one of the chain above it, say
    return tuple(found)


def _any_certificate() -> ssl.SSLContext:
    """Verifies nothing: for looking only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


# -- what is on offer ----------------------------------------------------------------


class _Inquiry:
    """Asks what a server offers, starts TLS if it can be had, and asks again."""

    def __init__(self, found: Look, conn: ClientConnection[Any]) -> None:
        self._found = found
        self._conn = conn

    def run(self) -> Script[None]:
        can_start = yield from self._ask()
        if self._conn.tls:
            self._found.cleartext = False
            return
        offered = self._found.mechanisms
        secret = any(name in COMMANDS or sasl.reveals_secret(name) for name in offered)
        # With KPOP what follows PASS is no password.
        self._found.cleartext = secret and not self._found.place.service.logged_in
        if can_start:
            try:
                yield _START[type(self._conn)]()
            except CommandFailed as refusal:
                self._found.error = f"TLS is refused: {words(refusal.answer)}"
            else:
                yield from self._ask()

    def _ask(self) -> Script[bool]:
        """Note what is on offer; whether TLS is."""
        conn: Any = self._conn
        match conn:
            case pop3.Client():
                with suppress(CommandFailed):
                    yield pop3.Capa()
                names, mechanisms = _pop3_offers(conn)
            case imap.Client():
                if conn.state is not imap.State.NOT_AUTHENTICATED:
                    return False  # PREAUTH
                if conn.capabilities is None:
                    yield imap.Capability()
                names, mechanisms = _imap_offers(conn)
            case _:
                yield from smtp.hello(conn)
                names, mechanisms = _smtp_offers(conn)
        self._found.capabilities = tuple(map(printable, names))
        self._found.mechanisms = tuple(dict.fromkeys(map(printable, mechanisms)))
        return any(name in ("STLS", "STARTTLS") for name in map(str.upper, names))


COMMANDS: Final = ("USER/PASS", "LOGIN command")
_START: Final[dict[type[Any], Callable[[], Any]]] = {
    pop3.Client: pop3.Stls,
    imap.Client: imap.StartTls,
    smtp.Client: smtp.StartTls,
}


def _pop3_offers(conn: pop3.Client) -> tuple[list[str], list[str]]:
    known = conn.capabilities
    if known is None or not known.lines:  # no CAPA; USER is what everybody has
        names, mechanisms = [], ["USER/PASS"]
    else:
        names = [line.write().decode("utf-8", "replace") for line in known.lines]
        mechanisms = [*known.sasl]
        if "USER" in names:
            mechanisms.insert(0, "USER/PASS")
    if conn.greeting is not None and conn.greeting.stamp is not None:
        mechanisms.append("APOP")
    return names, mechanisms


def _imap_offers(conn: imap.Client) -> tuple[list[str], list[str]]:
    known = conn.capabilities or imap.Capabilities()
    mechanisms = [*known.sasl]
    if "LOGINDISABLED" not in known:  # RFC 3501 6.2.3
        mechanisms.insert(0, "LOGIN command")
    return [*known], mechanisms


def _smtp_offers(conn: smtp.Client) -> tuple[list[str], list[str]]:
    known = conn.capabilities
    if known is None:  # it knows HELO only
        return [], []
    return [*map(str, known.extensions)], [*known.sasl]


async def leave(session: Session[Any]) -> None:
    """Say good-bye, whatever is answered: all is known that was to be."""
    goodbyes: dict[type[Any], Callable[[], Any]] = {
        pop3.Client: pop3.Quit,
        imap.Client: imap.Logout,
        smtp.Client: smtp.Quit,
    }
    with suppress(OSError, MailError):  # a time-out is an OSError
        async with asyncio.timeout(FAREWELL):
            await session.run(goodbyes[type(session.conn)]())


# -- what went wrong -----------------------------------------------------------------


async def _listens(place: Place) -> bool:
    """Whether a connection is accepted, if nothing else."""
    try:
        async with asyncio.timeout(KNOCK):
            _, writer = await asyncio.open_connection(place.host, place.port)
    except OSError:  # a time-out is one
        return False
    writer.transport.abort()
    return True


def _unreached(error: Exception) -> bool:
    """Whether there was no connection at all."""
    lost = (ssl.SSLError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
    return isinstance(error, OSError) and not isinstance(error, lost)


def say_why(error: Exception) -> str:
    match error:
        case CommandFailed():
            return f"the server refuses: {words(error.answer)}"
        case MailError():
            return f"the server breaks the protocol: {error}"
        case ssl.SSLCertVerificationError():
            return f"the certificate is not good: {error.verify_message}"
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):
            return "no TLS is spoken there: plaintext where the TLS handshake is due"
        case ssl.SSLError():
            return f"TLS failed: {error.reason or error}"
        case socket.gaierror():
            return "no such host"
        case ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError():
            return "the connection was cut off"
        case OSError():
            return _of_network(error)
    raise error


def _of_network(error: OSError) -> str:
    """asyncio says addresses, too, and of several of them all that was wrong."""
    told = str(error)
    for number in (errno.ECONNREFUSED, *_NETWORK):
        if error.errno == number or f"[Errno {number}]" in told:
            return os.strerror(number).lower()
    return error.strerror or told


_NETWORK: Final = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
