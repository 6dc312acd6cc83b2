"""The messages that come to an embedded server, as they come."""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue

from .messages import StoredMessage
from .store import Store


class Arrivals:
    """Each message that comes from now on, in its turn, until ``close``.

    By SMTP, LMTP, IMAP's APPEND or ``MailServer.deliver``; a copy within the server is
    none.  The next one may have to be waited for, which blocks.  What was deleted
    before one looks is left out.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last = store.last_letter()
        # Other than an Event's, its methods may be called while they run, by a signal.
        self._signs: SimpleQueue[bool] = SimpleQueue()
        self._over = False
        store.watchers.add(self._changed)

    def _changed(self) -> None:
        if self._signs.empty():  # one is enough to look for all
            self._signs.put(True)

    def close(self) -> None:
        """End the iteration once what has come is told.

        It may be called in any thread, and by the handler of a signal.
        """
        self._store.watchers.discard(self._changed)
        self._signs.put(False)

    def __iter__(self) -> Iterator[StoredMessage]:
        while not self._over:
            self._over = not self._signs.get()
            for letter in self._store.letters(self._last):
                self._last = letter
                message = self._store.stored(letter)
                if message is not None:
                    yield message
