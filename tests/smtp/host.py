"""A server that takes mail by rules, without a socket, and scripts run against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mailproto import Bad, Chunk, End, Security, smtp
from mailproto.smtp import Extension, Reply
from tests.wire import Wire

ALL = ("PIPELINING", "SIZE 1000", "8BITMIME", "SMTPUTF8", "DSN")


@dataclass
class Transaction:
    mail: smtp.Mail
    recipients: list[smtp.Rcpt] = field(default_factory=list)
    data: bytes = b""


class Host(Wire):
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
        server = smtp.Server(security, dialect=dialect)
        client = client or smtp.Client(security, dialect=dialect)
        super().__init__(client, server, self.answer)
        self.client: smtp.Client = client
        self.server: smtp.Server = server
        self.offers = offers
        self.replies = dict(replies or {})
        self.heard: list[str] = []  # each command's verb
        self.transactions: list[Transaction] = []  # that were begun
        self.sent: list[Transaction] = []  # that were accepted
        server.send(smtp.Greeting("host.example"))
        self.carry()
        assert client.next_event() == smtp.Greeting("host.example")

    def answer(self, event: Any) -> Iterator[Any]:
        reply: Reply | None = None
        if isinstance(event, smtp.SmtpCommand):
            verb = event.verb.decode()
            self.heard.append(verb)
            reply = self.replies.get(event.argument()) or self.replies.get(verb)
        match event:
            case Bad(hint=hint):
                yield hint
            case Chunk(data=data):
                self.transactions[-1].data += data
            case End():
                yield from self._end()
            case smtp.Bdat() if reply is None:
                pass
            case smtp.Ehlo() | smtp.Lhlo() if reply is None:
                skip = "STARTTLS" if self.server.tls else ""
                known = (Extension.read(line) for line in self.offers if line != skip)
                yield smtp.EhloData("host.example", tuple(known))
            case smtp.Data():
                yield reply or Reply(354)
            case smtp.StartTls():
                yield reply or Reply(220)
            case smtp.Mail():
                self.transactions.append(Transaction(event))
                yield reply or Reply(250)
            case smtp.Rcpt():
                if reply is None:
                    self.transactions[-1].recipients.append(event)
                yield reply or Reply(250)
            case _:
                yield reply or Reply(250)

    def _end(self) -> Iterator[Reply]:
        transaction = self.transactions[-1]
        if self.server.dialect.lmtp:
            self.sent.append(transaction)
            for rcpt in transaction.recipients:
                name = rcpt.recipient
                yield self.replies.get(f"END {name}", Reply(250, name))
            return
        reply = self.replies.get("END", Reply(250, "kept"))
        if reply.ok:
            self.sent.append(transaction)
        yield reply
