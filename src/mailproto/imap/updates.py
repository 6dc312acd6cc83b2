"""What one session of a server has been told of its mailbox, and what it has not.

A message number is what the client believes it to be, and the client believes what it
was told.  When another session removes message 2, message 3 is still number 3 here,
until ``* 2 EXPUNGE`` can be said (RFC 3501 7.4.1); and that must wait: while no
command is in progress, and while FETCH, STORE or SEARCH is.  So the application speaks
of messages by their UIDs, which do not move, and whenever it likes; what is due and
how the messages are numbered at that moment is found here.

    mailbox, by UID       4  7  9           told as 1  2  3
    expunge(4), add(12)      7  9  12       still   1  2  3: FETCH 2 means UID 7
    take()                * 1 EXPUNGE, * 3 EXISTS
                             7  9  12       now     1  2  3: FETCH 2 means UID 9
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import TypeAlias

from .fetch import FetchData
from .responses import Exists, Expunged
from .sets import MAX_NUMBER, SequenceSet, UidSet

Update: TypeAlias = Exists | Expunged | FetchData


class Updates:
    """The mailbox of one session, by UIDs.

    *uids* are those of its messages now, and ascend.  None of them has been told yet:
    the first ``take`` says how many there are, as the answer to SELECT must.
    """

    __slots__ = ("_changed", "_fresh", "_gone", "_known", "_told")

    def __init__(self, uids: Iterable[int] = ()) -> None:
        self._known: list[int] = []  # told, and not told to be gone
        self._fresh: list[int] = []  # there, and not told
        self._gone: set[int] = set()  # of those known
        self._changed: dict[int, tuple[str, ...]] = {}  # flags of those known
        self._told = False
        for uid in uids:
            self.add(uid)

    # -- what happens in the mailbox -------------------------------------------

    def add(self, uid: int) -> None:
        """A message has come; its UID is larger than any before (RFC 3501 2.3.1.1)."""
        last = (self._fresh or self._known or [0])[-1]
        if not last < uid <= MAX_NUMBER:
            raise ValueError(f"UIDs ascend: {uid} cannot come after {last}")
        self._fresh.append(uid)

    def expunge(self, uid: int) -> None:
        """A message is gone; nothing happens if it is not known to have been here."""
        if self.number(uid) is not None:
            self._gone.add(uid)
            self._changed.pop(uid, None)
            return
        at = bisect_left(self._fresh, uid)
        if self._fresh[at : at + 1] == [uid]:  # the client need never know
            del self._fresh[at]

    def flags(self, uid: int, flags: Iterable[str]) -> None:
        """These are the flags of a message now, all of them."""
        if self.number(uid) is not None and uid not in self._gone:
            self._changed[uid] = tuple(flags)

    # -- what the client's words mean ------------------------------------------

    def __len__(self) -> int:
        """How many messages the client believes to be here."""
        return len(self._known)

    def number(self, uid: int) -> int | None:
        """The number by which the client knows the message, if it does."""
        at = bisect_left(self._known, uid)
        return at + 1 if self._known[at : at + 1] == [uid] else None

    def uid(self, number: int) -> int | None:
        """The UID of what the client calls *number*, be it still here or not."""
        return self._known[number - 1] if 0 < number <= len(self._known) else None

    def chosen(self, messages: SequenceSet | UidSet) -> list[tuple[int, int]]:
        """Number and UID of each message that a command names, in ascending order.

        Some may be gone: RFC 2180 4 tells what can be done about those.  What is new
        and has not been told cannot be named.
        """
        if isinstance(messages, UidSet):
            pairs = ((self.number(uid), uid) for uid in messages.among(self._known))
            return [(number, uid) for number, uid in pairs if number is not None]
        numbers = messages.among(range(1, len(self._known) + 1))
        return [(number, self._known[number - 1]) for number in numbers]

    def is_gone(self, uid: int) -> bool:
        """Whether the client still counts on a message that is not there any more."""
        return uid in self._gone

    # -- what is due -----------------------------------------------------------

    def take(self, *, expunges: bool = True) -> list[Update]:
        """What is to be told now, in order, each numbered as it is said.

        Without *expunges* the numbers stay as they are, and EXISTS counts what is gone
        with what is here: it must never shrink (RFC 3501 5.2).
        """
        said: list[Update] = []
        if expunges and self._gone:
            # The last first, so that no number shifts while they are said.
            numbers = [n for n, uid in enumerate(self._known, 1) if uid in self._gone]
            said += map(Expunged, reversed(numbers))
            self._known = [uid for uid in self._known if uid not in self._gone]
            self._gone.clear()
        if self._fresh or not self._told:
            self._known += self._fresh
            self._fresh = []
            self._told = True
            said.append(Exists(len(self._known)))
        for uid, flags in sorted(self._changed.items()):
            number = self.number(uid)
            assert number is not None
            said.append(FetchData.of(number, uid=uid, flags=flags))
        self._changed.clear()
        return said
