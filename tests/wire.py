"""Scripts run against a server on a wire in memory: no socket, no thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from mailproto import NEED_DATA, START_TLS, Closed, Script
from mailproto._connection import ClientConnection, ServerConnection, Signal
from mailproto._session import SessionCore

R = TypeVar("R")


class Wire:
    """*handle* says what *server* sends in answer to an event."""

    def __init__(
        self,
        client: ClientConnection[Any],
        server: ServerConnection[Any, Any, Any],
        handle: Callable[[Any], Iterable[Any]],
    ) -> None:
        self.client = client
        self.server = server
        self._handle = handle
        self._core = SessionCore(client)
        self.turns = 0  # in which the client wrote something

    def run(self, script: Script[R]) -> R:
        """The result of *script*; CommandFailed where it lets one through."""
        talk = self._core._run(script)
        try:
            next(talk)
            while True:
                event = self.client.next_event()
                if event is NEED_DATA or event is START_TLS:
                    self.carry()
                else:
                    talk.send(event)
        except StopIteration as stop:
            value: R = stop.value
            return value

    def carry(self) -> None:
        """What the client wrote goes to the server, and its answers back."""
        out = self.client.data_to_send()
        self.turns += bool(out)
        for data in out:
            self.server.receive_data(data)
        while not isinstance(event := self.server.next_event(), Signal | Closed):
            for value in self._handle(event):
                self.server.send(value)
        for data in self.server.data_to_send():
            self.client.receive_data(data)
        if self.client.tls_due and self.server.tls_due:
            self.client.tls_started()
            self.server.tls_started()


def say(command: Any) -> Script[Any]:
    """The script of one command."""
    return (yield command)
