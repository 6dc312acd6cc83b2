"""The messages of the selected mailbox as a client may know them (RFC 3501 5.2, 7.3).

A client "MUST record" how many messages there are and which are gone: every number
that it says or hears hangs on that.  A ``MailboxView`` does, and keeps UIDs and flags
where it has heard of them.  It is made of what SELECT was worth, and then fed with the
events of a Client, in their order:

    view = MailboxView(session.run(Select("INBOX")))
    async for event in session.stream(idle()):
        view.apply(event)
    view.uid(3), view.number(4827313), view.flags(3)

Data that ``run`` gathered can be applied when it is over if they were asked for by
numbers, for then no EXPUNGE comes amid them (RFC 3501 7.4.1).  ``unclaimed`` first: it
may have the EXISTS without which a number is none.
"""

from __future__ import annotations

from typing import Any, Final

from ..errors import LimitExceeded, RemoteProtocolError
from .fetch import FetchData
from .replies import Reply
from .responses import Exists, Expunged, FlagsData, Recent
from .results import Selected

MAX_MESSAGES: Final = 1_000_000  # 16 octets each


class MailboxView:
    """Which message has which number, UID and flags.

    *opened* is the mailbox as SELECT or EXAMINE told of it; without it, all that the
    server says after one of these must be applied.  *max_messages* is how many may be
    remembered: a number that a server says must not make us allocate what it likes.
    """

    def __init__(
        self, opened: Selected | None = None, *, max_messages: int = MAX_MESSAGES
    ) -> None:
        self.exists = 0  #: how many messages there are
        self.recent = 0
        self.uid_validity: int | None = None
        self.uid_next: int | None = None
        self.known_flags: tuple[str, ...] = ()  #: that messages here may have
        self._most = max_messages
        self._uids: list[int | None] = []  # by number; no longer than it must be
        self._flags: list[tuple[str, ...] | None] = []
        if opened is not None:
            self.exists, self.recent = opened.exists, opened.recent
            self.uid_validity, self.uid_next = opened.uid_validity, opened.uid_next
            self.known_flags = opened.flags

    # -- to look at ------------------------------------------------------------

    def uid(self, number: int) -> int | None:
        """The UID of message *number*, if it was told."""
        return self._uids[number - 1] if 0 < number <= len(self._uids) else None

    def number(self, uid: int) -> int | None:
        """The number of a message now, if its UID was told."""
        low, high = 0, len(self._uids)
        while low < high:
            middle = at = (low + high) // 2
            while at < high and self._uids[at] is None:
                at += 1
            found = self._uids[at] if at < high else None
            if found == uid:
                return at + 1
            if found is None or found > uid:
                high = middle
            else:
                low = at + 1
        return None

    def flags(self, number: int) -> tuple[str, ...] | None:
        """The flags of message *number*, if they were told."""
        return self._flags[number - 1] if 0 < number <= len(self._flags) else None

    def unknown(self) -> list[int]:
        """Numbers of the messages whose UID was not told, in ascending order."""
        known = len(self._uids)
        gaps = [n for n, uid in enumerate(self._uids, 1) if uid is None]
        return [*gaps, *range(known + 1, min(self.exists, self._most) + 1)]

    # -- what happens ----------------------------------------------------------

    def apply(self, event: Any) -> bool:
        """Take *event* into account; whether it says anything about the mailbox.

        Raises RemoteProtocolError for what cannot be: the numbers are not to be
        trusted from there on, and the mailbox is to be selected anew.
        """
        match event:
            case Exists(number=number):
                self._apply_exists(number)
            case Recent(number=number):
                self.recent = number
            case Expunged(number=number):
                self._apply_expunged(number)
            case FetchData():
                self._apply_fetched(event)
            case FlagsData(flags=flags):
                self.known_flags = flags
            case Reply():
                return self._apply_reply(event)
            case _:
                return False
        return True

    def _apply_exists(self, number: int) -> None:
        if number < self.exists:
            raise RemoteProtocolError(
                f"EXISTS fell from {self.exists} to {number} (RFC 3501 5.2)"
            )
        self.exists = number

    def _apply_expunged(self, number: int) -> None:
        self._check(number)
        self.exists -= 1
        del self._uids[number - 1 : number]
        del self._flags[number - 1 : number]

    def _apply_fetched(self, data: FetchData) -> None:
        number, uid, flags = data.number, data.uid, data.flags
        self._check(number)
        if uid is None and flags is None:
            return
        if number > self._most:
            what = "more messages than are remembered"
            raise LimitExceeded("max_messages", self._most, what)
        missing = number - len(self._uids)
        if missing > 0:
            self._uids += [None] * missing
            self._flags += [None] * missing
        if uid is not None:
            if self._uids[number - 1] not in (None, uid):
                raise RemoteProtocolError(f"message {number} has got another UID")
            self._uids[number - 1] = uid
        if flags is not None:
            self._flags[number - 1] = tuple(flags)

    def _check(self, number: int) -> None:
        if not 0 < number <= self.exists:
            raise RemoteProtocolError(f"there is no message {number}")

    def _apply_reply(self, reply: Reply) -> bool:
        name = "" if reply.code is None else reply.code.name
        value: Any = getattr(reply.code, "number", None)
        if name == "UIDVALIDITY":
            self.uid_validity = value
        elif name == "UIDNEXT":
            self.uid_next = value
        return name in ("UIDVALIDITY", "UIDNEXT")
