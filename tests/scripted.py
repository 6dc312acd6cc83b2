"""A server that says what a test wrote down for it, whatever that is."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress

HANG = b"(no answer, and the connection stays open)"


class Scripted:
    """Answers each line by its verb; what it was told is in *heard*.

    Behind an answer that ends with BEGIN it speaks *tls*.
    """

    def __init__(
        self,
        greeting: bytes,
        answers: Mapping[bytes, bytes] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.heard: list[bytes] = []
        self._greeting = greeting
        self._answers = answers or {}
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Scripted:
        self._threads[0].start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.settimeout(20)
                thread = threading.Thread(target=self._serve, args=(sock,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError), ExitStack() as stack:
            stack.enter_context(sock)
            sock.sendall(self._greeting)
            while line := take_line(sock):
                self.heard.append(line)
                words = line.upper().split()
                known = [self._answers[word] for word in words if word in self._answers]
                answer = known[0] if known else b""
                if answer is HANG:
                    self._over.wait(20)
                sock.sendall(answer.replace(b"TAG", line.split(b" ")[0]))
                if answer.endswith(b"BEGIN\r\n"):
                    assert self._tls is not None
                    sock = self._tls.wrap_socket(sock, server_side=True)
                    stack.enter_context(sock)


def take_line(sock: socket.socket) -> bytes:
    """One line, or nothing at the end."""
    line = b""
    while not line.endswith(b"\r\n"):
        data = sock.recv(1)
        if not data:
            return b""
        line += data
    return line
