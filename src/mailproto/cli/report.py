"""What a check has found: as a table for people, as JSON for programs."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from .._connection import Security
from .._text import printable
from ..providers import Provider
from ..services import Protocol
from .certificate import Certificate
from .looking import Look
from .reasons import SAYS, Reason


@dataclass(frozen=True, slots=True)
class LogIn:
    """How a log-in went; *said* is what the server said, if it refused."""

    ok: bool
    mechanism: str = ""
    reason: Reason | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """One service; *log_in* is ``None`` where there is none, or nobody asked."""

    look: Look
    log_in: LogIn | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All of them, and the verdict: the services by which mail can be read, sent."""

    target: str
    provider: Provider | None
    user: str | None
    services: tuple[Checked, ...]
    read: tuple[str, ...]
    send: tuple[str, ...]
    status: int

    @property
    def advice(self) -> str:
        """What the provider's own pages say, for whom a log-in failed."""
        failed = any(each.log_in and each.log_in.reason for each in self.services)
        return self.provider.advice if self.provider is not None and failed else ""


# -- for people ----------------------------------------------------------------------

HEADER: Final = ("service", "port", "TLS", "certificate", "password in the clear")
_INDENT: Final = "    "
_OF_LOG_IN: Final = re.compile(r"(?:AUTH[= ]|SASL |USER\Z)", re.I)  # told beside them
_LABEL: Final = 12  # columns of "greeting", "log-in by" and the like


def as_table(report: Report) -> str:
    """The whole report; servers' words in it are safe for a terminal."""
    hosts = dict.fromkeys(each.look.place.host for each in report.services)
    header = ("host", *HEADER) if len(hosts) > 1 else HEADER
    rows = [_row(each.look, len(hosts) > 1) for each in report.services]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    width = max(shutil.get_terminal_size((88, 24)).columns, 40)
    lines = [_told(report, list(hosts)), "", _line(header, widths)]
    for each, row in zip(report.services, rows, strict=True):
        lines.append(_line(row, widths))
        for label, text in _details(each):
            lines += textwrap.wrap(
                text,
                width,
                initial_indent=f"{_INDENT}{label:<{_LABEL}}",
                subsequent_indent=_INDENT + " " * _LABEL,
                break_long_words=False,
                break_on_hyphens=False,
            )
    lines += ["", _verdict("read", report.read), _verdict("sent", report.send)]
    if report.advice:
        lines += ["", *textwrap.wrap(report.advice, width, break_on_hyphens=False)]
    return "\n".join(lines)


def _told(report: Report, hosts: list[str]) -> str:
    known = ""
    if report.provider is not None:
        wants = " or ".join(report.provider.wants)
        known = f" ({report.provider.name}, which wants: {wants})"
    user = f", as {report.user}" if report.user is not None else ""
    return printable(f"{', '.join(hosts)}{known}{user}")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(map(str.ljust, cells, widths)).rstrip()


def _row(found: Look, with_host: bool) -> tuple[str, ...]:
    place = found.place
    where: tuple[str, ...] = (place.service.name, str(place.port))
    if with_host:
        where = (place.host, *where)
    if not found.reachable:
        return (*where, f"not reachable: {printable(found.error)}", "", "")
    clear = {True: "YES", False: "no", None: "?"}[found.cleartext]
    return (*where, _tls(found), _certificate(found), clear)


def _tls(found: Look) -> str:
    service = found.place.service
    if not found.tls or service.security is Security.IMPLICIT:
        return found.tls or "none"
    verb = "STLS" if service.protocol is Protocol.POP3 else "STARTTLS"
    return f"{found.tls} by {verb}"


def _certificate(found: Look) -> str:
    if found.problems:
        return ", ".join(problem.fault for problem in found.problems)
    if found.certificate is None:
        return "good" if found.tls else "-"
    return f"good, {_days_left(found.certificate)} days"


def _days_left(certificate: Certificate) -> int:
    return (certificate.ends - datetime.now(UTC)).days


def _details(checked: Checked) -> Iterator[tuple[str, str]]:
    found, log_in = checked.look, checked.log_in
    if not found.reachable:
        return
    if found.place.service.retired:
        yield "note", "this port is retired: nobody should ask for it any more"
    if found.problems:
        yield "certificate", "; ".join(problem.text for problem in found.problems)
    if found.greeting:
        yield "greeting", found.greeting
    offers = [name for name in found.capabilities if not _OF_LOG_IN.match(name)]
    if offers:
        yield "offers", ", ".join(offers)
    if found.mechanisms:
        yield "log-in by", ", ".join(found.mechanisms)
    if found.error:
        yield "trouble", printable(found.error)
    if log_in is not None:
        yield "log-in", _outcome(log_in)


def _outcome(log_in: LogIn) -> str:
    if log_in.reason is None:
        return f"granted, by {log_in.mechanism}"
    said = f" ({printable(log_in.said)})" if log_in.said else ""
    return f"NO: {SAYS[log_in.reason]}{said}"


def _verdict(done: str, services: Sequence[str]) -> str:
    how = f"can be {done}: {', '.join(services)}" if services else f"cannot be {done}"
    return f"mail {how}"


# -- for programs --------------------------------------------------------------------


def as_json(report: Report) -> dict[str, Any]:
    """The same; the keys are told in docs/check.md, and stay."""
    return {
        "target": report.target,
        "provider": report.provider.name if report.provider is not None else None,
        "wants": list(report.provider.wants) if report.provider is not None else None,
        "user": report.user,
        "services": [_service(each) for each in report.services],
        "read": list(report.read),
        "send": list(report.send),
        "advice": report.advice or None,
        "status": report.status,
    }


def _service(checked: Checked) -> dict[str, Any]:
    found, service = checked.look, checked.look.place.service
    implicit = service.security is Security.IMPLICIT
    tls = {
        "version": found.tls,
        "cipher": found.cipher,
        "how": "implicit" if implicit else "starttls",
    }
    return {
        "service": service.name,
        "protocol": str(service.protocol),
        "host": found.place.host,
        "port": found.place.port,
        "retired": service.retired,
        "reachable": found.reachable,
        "error": found.error or None,
        "tls": tls if found.tls else None,
        "certificate": _certificate_keys(found),
        "greeting": found.greeting if found.reachable else None,
        "capabilities": list(found.capabilities),
        "mechanisms": list(found.mechanisms),
        "cleartext": found.cleartext,
        "login": _log_in_keys(checked.log_in),
    }


def _certificate_keys(found: Look) -> dict[str, Any] | None:
    if not found.tls and not found.problems:
        return None
    faults = [{"fault": str(p.fault), "text": p.text} for p in found.problems]
    keys: dict[str, Any] = {"valid": not faults, "problems": faults}
    told = found.certificate
    return keys | {
        "subject": told.subject if told else None,
        "issuer": told.issuer if told else None,
        "names": list(told.names) if told else [],
        "not_before": told.starts.isoformat() if told else None,
        "not_after": told.ends.isoformat() if told else None,
        "days_left": _days_left(told) if told else None,
        "host_fits": told.fits(found.place.host) if told else None,
    }


def _log_in_keys(log_in: LogIn | None) -> dict[str, Any] | None:
    if log_in is None:
        return None
    return {
        "ok": log_in.ok,
        "mechanism": log_in.mechanism or None,
        "reason": str(log_in.reason) if log_in.reason is not None else None,
        "text": SAYS[log_in.reason] if log_in.reason is not None else None,
        "said": log_in.said or None,
    }
