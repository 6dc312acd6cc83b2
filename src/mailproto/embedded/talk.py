"""What the sessions of all protocols have in common: whose they are, and the log-in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from .. import sasl
from .login import Login
from .messages import NOWHERE, Origin
from .store import Store


class Talk(ABC):
    """One session: events of *conn* in, values to send out, and no I/O.

    *origin* is where it comes from.  Call ``close`` at the end, however it comes.
    """

    def __init__(
        self, conn: Any, store: Store, host: str, origin: Origin = NOWHERE
    ) -> None:
        self._conn = conn
        self._store = store
        self._host = host
        self._origin = origin
        self._login: Login | None = None

    @property
    @abstractmethod
    def admitted(self) -> bool:
        """Whether it is waited for from command to command: who it is, is known."""

    @property
    def listening(self) -> bool:
        """Whether the client waits for news, and ``news`` may be said."""
        return False

    #: what to say to who is cut off, if the protocol has a word for it
    farewell: ClassVar[Any] = None

    @abstractmethod
    def greeting(self) -> Any:
        """What the server says first."""

    @abstractmethod
    def handle(self, event: Any) -> Iterator[Any]:
        """What to send in answer to *event*, piece by piece."""

    def stores(self, event: Any) -> bool:
        """Whether the answer to *event* may have to wait for the disk."""
        return False

    def news(self) -> Iterator[Any]:
        """What to send of what has changed in the store meanwhile."""
        return iter(())

    @abstractmethod
    def close(self) -> None:
        """Let go of all that is held."""

    # -- log in ----------------------------------------------------------------

    def _begin_login(self, mechanism: str, initial: bytes | None) -> Any:
        self._login = Login(self._store, mechanism, self._host)
        return self._step(initial)

    def _step(self, response: bytes | None) -> Any:
        """What to say to the client's turn."""
        assert self._login is not None
        match self._login.step(response):
            case sasl.Challenge(data=data):
                return self._challenge(data)
            case sasl.Accepted(name=name):
                return self._welcome(name)
        return self._wrong()

    @abstractmethod
    def _challenge(self, data: bytes) -> Any:
        """The server's turn."""

    @abstractmethod
    def _welcome(self, name: str) -> Any:
        """*name* is in."""

    @abstractmethod
    def _wrong(self) -> Any:
        """One answer for all who may not come in: it does not tell who exists."""
