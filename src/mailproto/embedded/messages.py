"""Messages as a tester looks at them: what came, how it came, and where it lies now."""

from __future__ import annotations

from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final

from ..smtp import Mail, Rcpt


@dataclass(frozen=True, slots=True)
class Origin:
    """How a message came, and what its sender had told by then."""

    service: str = ""  #: "smtp", "imaps", ...; ``""``: by ``MailServer.deliver``
    helo: str = ""  #: what EHLO, HELO or LHLO said; ``""``: nothing since TLS began
    login: str | None = None  #: the name that was logged in
    tls: bool = False
    peer: tuple[str, int] | None = None  #: address and port


NOWHERE: Final = Origin()


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it was received: its octets, and its envelope with all parameters.

    *users* are those in whose mailboxes it is, if there is anybody of that name here.
    """

    data: bytes = field(repr=False)
    mail: Mail
    rcpts: tuple[Rcpt, ...]
    users: tuple[str, ...]
    received: float  #: seconds since 1970
    origin: Origin = NOWHERE

    @property
    def sender(self) -> str:
        """``""`` is the null path."""
        return self.mail.sender

    @property
    def recipients(self) -> tuple[str, ...]:
        return tuple(rcpt.recipient for rcpt in self.rcpts)

    @property
    def email(self) -> EmailMessage:
        """The message, parsed."""
        return message_from_bytes(self.data, policy=policy.default)

    def is_to(self, whom: str) -> bool:
        """Whether *whom* is one of the recipients or of the users, in whatever case."""
        known = {each.casefold() for each in (*self.recipients, *self.users)}
        return whom.casefold() in known


@dataclass(frozen=True, slots=True)
class FiledMessage:
    """A message where it lies: in one mailbox of one user.

    *unique* is what POP3's UIDL tells: UIDVALIDITY, a dot, the UID.  *received* is
    IMAP's INTERNALDATE, in seconds since 1970.
    """

    uid: int
    unique: str
    flags: tuple[str, ...]
    received: float
    message: StoredMessage
