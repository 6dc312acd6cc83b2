"""A server that takes mail by rules, without a socket, and scripts run against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mailproto import (
    NEED_DATA,
    START_TLS,
    Bad,
    Chunk,
    Closed,
    End,
    Script,
    Security,
    smtp,
)
from mailproto._connection import Signal
from mailproto._session import SessionCore
from mailproto.smtp import Extension, Reply

R = TypeVar("R")
ALL = ("PIPELINING", "SIZE 1000", "8BITMIME", "SMTPUTF8", "DSN")


@dataclass
class Transaction:
    mail: smtp.Mail
    recipients: list[smtp.Rcpt] = field(default_factory=list)
    data: bytes = b""


class Host:
    """*offers* are lines of EHLO; *replies* answer commands by what they say.

    A key is the argument of a command, its verb, or ``"END"`` for the end of a message
    (in LMTP ``"END"`` and the recipient).  Everything else is granted.
    """

    def __init__(
        self,
        *offers: str,
        replies: Mapping[str, Reply] | None = None,
        dialect: smtp.Dialect = smtp.SMTP,
        security: Security = Security.CLEARTEXT,
        client: smtp.Client | None = None,
    ) -> None:
        self.server = smtp.Server(security, dialect=dialect)
        self.client = client or smtp.Client(security, dialect=dialect)
        self.offers = offers
        self.replies = dict(replies or {})
        self.heard: list[str] = []  # each command's verb
        self.turns = 0  # of the wire
        self.transactions: list[Transaction] = []  # that were begun
        self.sent: list[Transaction] = []  # that were accepted
        self.server.send(smtp.Greeting("host.example"))
        self._carry()
        assert self.client.next_event() == smtp.Greeting("host.example")

    def run(self, script: Script[R]) -> R:
        talk = SessionCore(self.client)._run(script)
        try:
            next(talk)
            while True:
                event = self.client.next_event()
                if event is NEED_DATA or event is START_TLS:
                    self._carry()
                else:
                    talk.send(event)
        except StopIteration as stop:
            value: R = stop.value
            return value

    def _carry(self) -> None:
        """What the client wrote goes to the server, and its answers back."""
        out = self.client.data_to_send()
        self.turns += bool(out)
        for data in out:
            self.server.receive_data(data)
        while not isinstance(event := self.server.next_event(), Signal | Closed):
            self._answer(event)
        for data in self.server.data_to_send():
            self.client.receive_data(data)
        if self.client.tls_due and self.server.tls_due:
            self.client.tls_started()
            self.server.tls_started()

    def _answer(self, event: Any) -> None:
        reply: Reply | None = None
        if isinstance(event, smtp.SmtpCommand):
            verb = event.verb.decode()
            self.heard.append(verb)
            reply = self.replies.get(event.argument()) or self.replies.get(verb)
        match event:
            case Bad(hint=hint):
                self.server.send(hint)
            case Chunk(data=data):
                self.transactions[-1].data += data
            case End():
                self._end()
            case smtp.Bdat() if reply is None:
                pass
            case smtp.Ehlo() | smtp.Lhlo() if reply is None:
                skip = "STARTTLS" if self.server.tls else ""
                known = (Extension.read(line) for line in self.offers if line != skip)
                self.server.send(smtp.EhloData("host.example", tuple(known)))
            case smtp.Data():
                self.server.send(reply or Reply(354))
            case smtp.StartTls():
                self.server.send(reply or Reply(220))
            case smtp.Mail():
                self.transactions.append(Transaction(event))
                self.server.send(reply or Reply(250))
            case smtp.Rcpt():
                if reply is None:
                    self.transactions[-1].recipients.append(event)
                self.server.send(reply or Reply(250))
            case _:
                self.server.send(reply or Reply(250))

    def _end(self) -> None:
        transaction = self.transactions[-1]
        if self.server.dialect.lmtp:
            self.sent.append(transaction)
            for rcpt in transaction.recipients:
                name = rcpt.recipient
                self.server.send(self.replies.get(f"END {name}", Reply(250, name)))
            return
        reply = self.replies.get("END", Reply(250, "kept"))
        if reply.ok:
            self.sent.append(transaction)
        self.server.send(reply)
