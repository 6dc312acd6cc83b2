"""What goes wrong on order: declared as values, once, and asked for when it happened.

    with MailServer(faults=[
        Fault("smtp", "RCPT", nth=2, reply="451 4.3.0 later"),
        Fault("imap", "FETCH", drop="middle"),
        Fault("pop3", "greeting", delay=0.5),
    ]) as server:
        ...
        assert not server.faults.left

A fault stands between a session and its socket: what is broken is what goes out, the
same way in all protocols.

How a command is named.  By its verb, as the RFC has it; ``FETCH`` is ``UID FETCH``
too, and ``UID FETCH`` is only that.  What follows a command has its name and a dot:
``DATA.`` and ``APPEND.`` are the end of the message, ``AUTH.`` and ``AUTHENTICATE.`` a
response to a challenge, ``IDLE.`` the DONE.  (The answer to BDAT comes behind its
octets: there is no dot.)  ``greeting`` is what a server says first, ``TLS`` a
handshake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from threading import Lock
from typing import Any, Final, Literal

from .. import imap, pop3, smtp
from .._command import Bad, End
from ..imap.quirks import Reader
from ..services import SERVICES, Protocol
from ..smtp import LMTP, SMTP
from .quirks import shown_as

GREETING: Final = "greeting"
HANDSHAKE: Final = "TLS"

Drop = Literal["before", "middle", "after"]

_FOLLOWED: Final = {
    Protocol.POP3: ("AUTH",),
    Protocol.SMTP: ("AUTH", "DATA"),
    Protocol.LMTP: ("DATA",),
    Protocol.IMAP: ("AUTHENTICATE", "APPEND", "IDLE"),
}
_QUIRKS: Final[dict[Protocol, type[Enum]]] = {
    Protocol.POP3: pop3.Quirk,
    Protocol.SMTP: smtp.Quirk,
    Protocol.LMTP: smtp.Quirk,
    Protocol.IMAP: imap.Quirk,
}


def commands_of(protocol: Protocol) -> frozenset[str]:
    """All that a fault can be of, by name."""
    match protocol:
        case Protocol.POP3:
            verbs: Iterable[bytes] = pop3.STANDARD.verbs
        case Protocol.IMAP:
            known = imap.Server().dialect.verbs
            verbs = (*known, *(b"UID " + v for v in known if known[v].uid_too))
        case Protocol.LMTP:
            verbs = LMTP.verbs
        case _:
            verbs = SMTP.verbs
    follow = {name + "." for name in _FOLLOWED[protocol]}
    return frozenset({verb.decode("ascii") for verb in verbs} | follow) | {
        GREETING,
        HANDSHAKE,
    }


@dataclass(frozen=True, slots=True)
class Fault:
    """Of *service*, at a *command*: for the *nth* time, and *times* times in all.

    It is counted from when the fault is added, over all connections of the service.
    Each of these may be, and they may be together:

    *delay*        so many seconds before anything is done
    *drop*         the connection is closed: ``before`` the command is obeyed, in the
                   ``middle`` of the reply, when it is obeyed, or right ``after``
    *reply*        in the place of the server's; lines of SMTP are separated by ``\\n``,
                   IMAP's have no tag.  If it refuses, the command is not obeyed.
                   ``BYE`` of IMAP and 421 of SMTP are the end
    *quirk*        the reply as a server with that fault says it (``pop3.Quirk``, ...)
    *bytewise*     each octet of the reply by itself
    *certificate*  ``expired``, at ``TLS``: one that was good until yesterday

    Raises ValueError for what cannot be.
    """

    service: str
    command: str
    nth: int = 1
    times: int = 1
    delay: float = 0.0
    drop: Drop | None = None
    reply: str | None = None
    quirk: Enum | None = None
    bytewise: bool = False
    certificate: Literal["expired"] | None = None

    def __post_init__(self) -> None:
        known = SERVICES.get(self.service)
        if known is None or self.service == "kpop":
            raise ValueError(f"no service here: {self.service}")
        if self.command not in commands_of(known.protocol):
            spoken = known.protocol.upper()
            raise ValueError(f"{self.command!r} is no command of {spoken}")
        if self.nth < 1 or self.times < 1:
            raise ValueError("nth and times are 1 or more")
        if self.delay < 0:
            raise ValueError("a delay is 0 seconds or more")
        if self.drop not in (None, "before", "middle", "after"):
            raise ValueError("drop is 'before', 'middle' or 'after' a reply")
        if self.certificate not in (None, "expired"):
            raise ValueError("a certificate is 'expired', or as it should be")
        if self.quirk is not None and not isinstance(
            self.quirk, _QUIRKS[known.protocol]
        ):
            raise ValueError(f"{self.quirk} is no quirk of {known.protocol.upper()}")
        if self.quirk is not None and shown_as(self.quirk) is None:
            raise ValueError(f"{self.quirk} cannot be shown here")
        self._check_what(known.protocol)

    def _check_what(self, protocol: Protocol) -> None:
        of_reply = (self.delay, self.drop, self.reply, self.quirk, self.bytewise)
        if self.command == HANDSHAKE:
            if self.certificate is None or any(of_reply):
                raise ValueError("what a TLS handshake can have is a certificate")
        elif self.certificate is not None:
            raise ValueError("a certificate is shown at 'TLS'")
        elif not any(of_reply):
            raise ValueError("a fault is a delay, a drop, a reply, a quirk or bytewise")
        if self.reply is not None:
            if self.drop == "before":
                raise ValueError("before a reply nothing is said")
            read_reply(protocol, self.command, self.reply)

    def __str__(self) -> str:
        return f"{self.service} {self.command} (number {self.nth})"


def read_reply(protocol: Protocol, command: str, text: str) -> Any:
    """*text* as the answer to *command*; IMAP's without its tag.

    Raises ValueError for what is none.
    """
    lines = [line.encode() for line in text.split("\n")]
    try:
        if protocol is Protocol.IMAP:
            return _read_imap(command, lines)
        room: Any = pop3 if protocol is Protocol.POP3 else smtp
        kind = room.Greeting if command == GREETING else room.Reply
        if protocol is Protocol.POP3 and len(lines) > 1:
            raise ValueError("more than a line")
        if protocol is Protocol.POP3 and lines[0][:4] not in (b"+OK", b"-ERR", b"+OK "):
            raise ValueError("+OK or -ERR is expected")
        value = kind.read(*lines)
        value.write()
    except ValueError as error:
        what = f"{text!r} is no reply to {command} in {protocol.upper()}"
        raise ValueError(f"{what}: {error}") from None
    return value


def _read_imap(command: str, lines: list[bytes]) -> imap.Reply | imap.Greeting:
    if len(lines) > 1:
        raise ValueError("more than a line")
    reply = imap.Reply.read(Reader(lines[0]))
    if reply.condition is imap.Condition.PREAUTH:  # nobody is logged in
        raise ValueError("OK, NO, BAD or BYE is expected")
    if command == GREETING:
        return imap.Greeting(reply.condition, reply.text, reply.code)
    return reply


class Faults:
    """Those that a server has, from any thread: ``server.faults``."""

    def __init__(
        self,
        faults: Iterable[Fault] = (),
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._lock = Lock()
        self._prepare = prepare  # for certificates
        self._counts: list[tuple[Fault, list[int]]] = []
        self.add(*faults)

    def add(self, *faults: Fault) -> None:
        """Let them happen, from now on."""
        self._add(faults)

    def _add(self, faults: Iterable[Fault]) -> list[tuple[Fault, list[int]]]:
        added: list[tuple[Fault, list[int]]] = [(fault, [0]) for fault in faults]
        with self._lock:
            if any(fault.certificate for fault, _ in added):
                self._prepare()
            self._counts += added
        return added

    def clear(self) -> None:
        """Let nothing more happen."""
        with self._lock:
            self._counts.clear()

    @property
    def left(self) -> tuple[Fault, ...]:
        """Those that have not happened, or not as often as they should have."""
        with self._lock:
            return tuple(
                fault
                for fault, (count,) in self._counts
                if count < fault.nth + fault.times - 1
            )

    @contextmanager
    def during(self, *faults: Fault) -> Iterator[None]:
        """Add them, and at the end take them away, whether they happened or not."""
        added = self._add(faults)
        try:
            yield
        finally:
            with self._lock:
                kept = [e for e in self._counts if not any(e is gone for gone in added)]
                self._counts = kept

    def take(self, service: str, command: str) -> Fault | None:
        """What is to go wrong with this *command*; it is counted."""
        if not self._counts:
            return None
        due: Fault | None = None
        with self._lock:
            for fault, count in self._counts:
                if fault.service != service or not _is_of(command, fault.command):
                    continue
                count[0] += 1
                if due is None and 0 <= count[0] - fault.nth < fault.times:
                    due = fault
        return due


def _is_of(command: str, name: str) -> bool:
    return name in (command, command.removeprefix("UID "))


class Names:
    """What the events of one session are called; ``last`` is what they belong to."""

    def __init__(self) -> None:
        self.last: Any = None
        self._verb = ""

    def of(self, event: Any) -> str | None:
        """The name of *event*; ``None``: nothing can go wrong with it."""
        match event:
            case Bad():
                return None
            case End() if isinstance(self.last, smtp.Bdat):
                return "BDAT"
            case End() | pop3.Response() | smtp.Response() | imap.Response():
                return self._verb + "."
            case imap.Done():
                return "IDLE."
            case imap.Tagged(command=command):
                self.last = event
                verb = command.verb.decode("ascii")
                self._verb = verb
                return "UID " + verb if command.by_uid else verb
            case smtp.SmtpCommand() | pop3.Pop3Command():
                self.last = event
                self._verb = event.verb.decode("ascii")
                return None if isinstance(event, smtp.Bdat) else self._verb
        return None
