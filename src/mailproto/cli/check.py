"""``mailproto check HOST``: whether mail can be read and sent there, and why not.

First all services are looked at, at once, and no password is there yet.  Then, with
``--user``, one log-in after the other, each over TLS to who has shown that he is meant:
Security.IMPLICIT or STARTTLS, by which nothing weaker can happen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .. import imap, pop3, sasl, smtp
from .._command import Script
from .._connection import Security
from ..asyncio import connect
from ..errors import CommandFailed, LocalProtocolError, RemoteProtocolError
from ..progress import Progress
from ..providers import Provider, by_domain, by_host
from ..services import SERVICES, MailUrl, Protocol, parse_url
from .account import add_log_in, mechanisms_for, read_password, read_trust
from .failure import LOGINS, UPGRADES, say
from .looking import COMMANDS, Look, Place, client, leave, look, say_why
from .reasons import OF_THE_PASSWORD, UNDECIDED, Reason, judge, words
from .report import Checked, LogIn, Report, as_json, as_table

EPILOG: Final = """\
HOST is a server; an address or a domain of a known provider, such as ann@gmail.com; or
the URL of an account, such as imaps://ann@mail.example.org.

exit status:
  0  mail can be read and sent     5  nobody answers there
  1  neither, for another reason   9  it can be read, not sent
  2  usage                        10  it can be sent, not read
  3  neither: log-in refused     130  interrupted
  4  neither: no TLS, or its certificate is not good
It can be read or sent where TLS is, its certificate is good, and there is a way to log
in; with --user, where the log-in was granted."""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "check",
        help="say whether mail can be read and sent at a host, and why not",
        description="Try every mail service of a host, and tell of each: whether it "
        "can be reached, TLS and its certificate, what it offers, and whether it would "
        "let passwords cross in the clear. With --user, log in, too.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", metavar="HOST", help="a host, an address, or a URL")
    parser.add_argument("--user", metavar="NAME", help="log in, too, as NAME")
    parser.add_argument(
        "--ports",
        type=_ports,
        metavar="SERVICE[=PORT],...",
        help="try only these services, at these ports: smtp=2525,imaps",
    )
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    add_log_in(parser, timeout=10.0)
    parser.set_defaults(run=_check)


def _ports(text: str) -> dict[str, int]:
    ports = {}
    for entry in text.split(","):
        name, equals, number = entry.partition("=")
        if name not in SERVICES:
            known = ", ".join(SERVICES)
            raise argparse.ArgumentTypeError(f"no service: {name!r}; known are {known}")
        port = SERVICES[name].port
        if equals:
            port = int(number) if number.isascii() and number.isdigit() else 0
        if not 0 < port < 65536:
            raise argparse.ArgumentTypeError(f"no port: {number!r}")
        ports[name] = port
    return ports


@dataclass(frozen=True, slots=True)
class Target:
    """What one asked for: where, whose, and what is known of it."""

    shown: str  #: without a password
    places: tuple[Place, ...]
    provider: Provider | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    mechanism: str | None = None


def find_target(text: str, ports: dict[str, int] | None) -> Target:
    """Where to look; *ports* are all that is to be tried, if there are any."""
    if "://" in text:
        url = parse_url(text)
        own = ports or {url.service.name: url.port}
        places = _places(url.host, own, only=ports is not None)
        provider = by_host(url.host)
        return Target(str(url), places, provider, url.name, url.password, url.mechanism)
    host = _host(text.rpartition("@")[2])
    provider = by_domain(host)
    if provider is None:
        places = _places(host, ports or {}, only=ports is not None)
        return Target(text, places, by_host(host))
    chosen = ports or {name: SERVICES[name].port for name in provider.hosts}
    places = tuple(
        Place(SERVICES[name], provider.place(name) or host, port)
        for name, port in chosen.items()
    )
    return Target(text, places, provider)


def _host(text: str) -> str:
    """A host as it stands in a URL; raises ValueError."""
    host = text if text.isascii() else text.encode("idna").decode("ascii")
    return MailUrl(SERVICES["imaps"], host, 993, scheme="imaps").host


def _places(host: str, ports: dict[str, int], *, only: bool) -> tuple[Place, ...]:
    """All services of *host*; or *only* those that have a port of their own."""
    return tuple(
        Place(service, host, ports.get(name, service.port))
        for name, service in SERVICES.items()
        if name in ports or not only
    )


def _check(options: argparse.Namespace) -> int:
    target = find_target(options.target, options.ports)
    user = options.user or target.user
    mechanism = options.mechanism or target.mechanism
    trust = read_trust(options.cafile) or ssl.create_default_context()
    who = None
    if user is not None:
        password = read_password(options, user, target.password)
        mechanisms_for(_sasl(mechanism), user, password)  # is there such a one?
        who = _Who(user, password, mechanism, trust, options.timeout)
    with Progress(sys.stderr) as progress:
        work = _look_and_log_in(
            target.places, who, trust, options.timeout, progress.note
        )
        checked = asyncio.run(work)
    report = _judge(target.shown, target.provider, user, checked)
    if options.json:
        say(json.dumps(as_json(report), indent=2))
    else:
        say(as_table(report))
    return report.status


# -- log-ins -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Who:
    """Who logs in, and how."""

    name: str
    password: str = field(repr=False)
    mechanism: str | None
    trust: ssl.SSLContext
    limit: float


async def _look_and_log_in(
    places: Sequence[Place],
    who: _Who | None,
    trust: ssl.SSLContext,
    limit: float,
    note: Callable[[str], None],
) -> list[Checked]:
    note(f"services that are looked at: {len(places)}")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(look(place, trust, limit)) for place in places]
    looks = [task.result() for task in tasks]
    if who is None:
        return [Checked(each) for each in looks]
    checked = []
    refused: set[Protocol] = set()  # once for each: fail2ban locks out after 5
    # One by one: two sessions on one maildrop would be in each other's way (RFC 1939
    # 4), and many at once look like an attack.
    for each in looks:
        protocol = each.place.service.protocol
        outcome = _why_not_tried(each, protocol in refused)
        if outcome is None and _has_log_in(each):
            note(f"logging in at {each.place.service.name}")
            outcome = await _log_in(each.place, who)
            if outcome.reason in OF_THE_PASSWORD:
                refused.add(protocol)
        checked.append(Checked(each, outcome))
    return checked


def _has_log_in(found: Look) -> bool:
    service = found.place.service
    return bool(found.mechanisms) and not service.logged_in


def _why_not_tried(found: Look, refused: bool) -> LogIn | None:
    """Before all else: whether the password may go there."""
    if not _has_log_in(found):
        return None
    if not found.tls:
        return LogIn(False, reason=Reason.NO_TLS)
    if not found.trusted:
        return LogIn(False, reason=Reason.NOT_TRUSTED)
    return LogIn(False, reason=Reason.NOT_TRIED) if refused else None


async def _log_in(place: Place, who: _Who) -> LogIn:
    implicit = place.service.security is Security.IMPLICIT
    security = Security.IMPLICIT if implicit else Security.STARTTLS
    conn = client(place.service, security)
    mechanism = ""
    try:
        async with asyncio.timeout(who.limit):
            async with await connect(conn, place.host, place.port, tls=who.trust) as it:
                mechanism = await it.run(_script(conn, who))
                await leave(it)
    except TimeoutError:
        if not mechanism:  # or it is only slow to hang up
            return LogIn(False, reason=Reason.TIME_OUT)
    except CommandFailed as refusal:
        if isinstance(refusal.__cause__, RemoteProtocolError):
            return LogIn(False, reason=Reason.BROKEN, said=str(refusal.__cause__))
        return LogIn(False, reason=_reason(refusal), said=words(refusal.answer))
    except LocalProtocolError as error:
        return LogIn(False, reason=Reason.NO_MECHANISM, said=str(error))
    except (OSError, RemoteProtocolError) as error:
        return LogIn(False, reason=Reason.BROKEN, said=say_why(error))
    return LogIn(True, mechanism)


def _reason(refusal: CommandFailed) -> Reason:
    """Why; only a log-in can be refused for its password."""
    if isinstance(refusal.command, UPGRADES):
        return Reason.NO_TLS
    reason = judge(refusal.answer)
    judged = isinstance(refusal.command, LOGINS) or reason is not Reason.WRONG_PASSWORD
    return reason if judged else Reason.REFUSED


def _sasl(mechanism: str | None) -> str | None:
    """APOP is POP3's alone; the other services are logged in to in the best way."""
    return None if mechanism in ("APOP", "+APOP") else mechanism


def _script(conn: object, who: _Who) -> Script[str]:
    only = mechanisms_for(_sasl(who.mechanism), who.name, who.password)
    match conn:
        case pop3.Client():
            if only is None and _sasl(who.mechanism) != who.mechanism:
                only = []
            apop = who.mechanism in ("APOP", "+APOP")
            return pop3.log_in(conn, who.name, who.password, mechanisms=only, apop=apop)
        case imap.Client():
            # A mechanism that somebody names is all that may be tried: not LOGIN.
            password = "" if only else who.password
            return imap.log_in(conn, who.name, password, mechanisms=only)
        case smtp.Client():
            return smtp.log_in(conn, who.name, who.password, mechanisms=only)
    raise AssertionError(conn)


# -- the verdict ---------------------------------------------------------------------

_READS: Final = (Protocol.POP3, Protocol.IMAP)


def _judge(
    target: str, provider: Provider | None, user: str | None, checked: list[Checked]
) -> Report:
    def able(*protocols: Protocol) -> tuple[str, ...]:
        return tuple(
            each.look.place.service.name
            for each in checked
            if each.look.place.service.protocol in protocols and _good(each, user)
        )

    read, send = able(*_READS), able(Protocol.SMTP)
    status = _status(read, send, checked)
    return Report(target, provider, user, tuple(checked), read, send, status)


def _good(checked: Checked, user: str | None) -> bool:
    if user is not None:
        return checked.log_in is not None and checked.log_in.ok
    found = checked.look
    return (
        found.trusted
        and _has_log_in(found)
        and any(
            name in COMMANDS or name == "APOP" or sasl.MECHANISMS.strength(name)
            for name in found.mechanisms
        )
    )


def _status(
    read: Sequence[str], send: Sequence[str], checked: Sequence[Checked]
) -> int:
    if read or send:
        return 0 if read and send else 9 if read else 10
    if not any(each.look.reachable for each in checked):
        return 5
    reasons = [each.log_in.reason for each in checked if each.log_in is not None]
    if any(reason not in UNDECIDED for reason in reasons):
        return 3
    served = [each.look for each in checked if each.look.mechanisms]
    if any(not found.trusted for found in served):
        return 4
    return 1
