"""A server program on the loopback: started, waited for, asked, and ended.

What one is, and how it is configured, the classes below this one know: `Dovecot`,
`Postfix`. Each lives in a directory of its own that goes with it.
"""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import trustme

HOST, LOCALHOST = "127.0.0.2", "127.0.0.1"
PATIENCE = 20.0
"""Seconds to start, to log, or to end; a tenth of one is what it usually takes."""
IS_ROOT = os.geteuid() == 0

_TRACE = re.compile(
    rb"(?:(?:Return-Path|X-Original-To|Delivered-To|Received):"
    rb"[^\n]*\n(?:[ \t][^\n]*\n)*)+"
)


class ServerFailed(Exception):
    """A server did not come up, or not do its part; the text holds its log."""


class Daemon:
    """Runs for as long as the `with` lasts."""

    host = HOST
    services: ClassVar[tuple[str, ...]]
    """Each of them gets a port: `self.smtp_port` for `smtp`."""
    greeting: ClassVar[tuple[str, ...]]
    """Those that say something first: when they do, the server is up."""

    environment: ClassVar[Mapping[str, str]] = {}
    """What more than ours the program finds in its environment."""

    names: tuple[str, ...] = ("localhost", HOST, LOCALHOST)
    """Whom the certificate is for."""
    ends: datetime | None = None
    """When the certificate expires; None: later."""

    directory: Path
    ca_file: Path
    """Who has signed cert.pem, whose key is in key.pem."""
    _process: subprocess.Popen[bytes] | None = None

    def client_context(self) -> ssl.SSLContext:
        """Verifies as ever, and trusts this server's made CA and no other."""
        return ssl.create_default_context(cafile=self.ca_file)

    def log(self) -> str:
        """What the server has said so far; of a configuration it cannot read, too."""
        logs = sorted(self.directory.glob("*.log"))
        return "".join(log.read_text(errors="replace") for log in logs)

    def wait_for_log(self, text: str) -> None:
        """Until the log holds `text`, which may be written after the client left."""
        self._wait_until(f"{text!r} in its log", lambda: text in self.log())

    def __enter__(self) -> Self:
        program = self._find()
        name = type(self).__name__.lower()
        self.directory = Path(tempfile.mkdtemp(prefix=f"mailproto-{name}-"))
        self.ca_file = self.directory / "ca.pem"
        with ExitStack() as on_failure:
            on_failure.callback(self._clean_up)
            self._certify()
            self._furnish()
            self._start(program)
            on_failure.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clean_up()

    # What each server knows for itself.

    def _find(self) -> str:
        """The program's path; MissingProgram if there is none."""
        raise NotImplementedError

    def _furnish(self) -> None:
        """Put all into the directory that does not depend on the ports."""
        raise NotImplementedError

    def _configure(self) -> None:
        """Write the configuration, with the ports in it."""
        raise NotImplementedError

    def _command(self, program: str) -> list[str | Path]:
        """What starts it, in the foreground."""
        raise NotImplementedError

    def _account(self) -> tuple[str, str] | None:
        """The user and the group to become before it starts; None: we stay."""
        return None

    # From here on: how it is done.

    def _certify(self) -> None:
        ca = trustme.CA()
        ca.cert_pem.write_to_path(self.ca_file)
        certificate = ca.issue_cert(
            *self.names, common_name=self.names[0], not_after=self.ends
        )
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(self.directory / "cert.pem", append=True)
        certificate.private_key_pem.write_to_path(self.directory / "key.pem")

    def _start(self, program: str) -> None:
        """Run it; on other ports if another program was quicker to take one."""
        for tries_left in (2, 1, 0):
            ports = free_ports(len(self.services))
            for service, port in zip(self.services, ports, strict=True):
                setattr(self, f"{service}_port", port)
            self._configure()
            try:
                self._process = self._spawn(program)
                for service in self.greeting:
                    port = getattr(self, f"{service}_port")
                    self._wait_until("greeting", partial(_greets, port))
            except ServerFailed as failure:
                self._end()
                if not tries_left or "already in use" not in str(failure):
                    raise
            else:
                return

    def _spawn(self, program: str) -> subprocess.Popen[bytes]:
        user, group = self._account() or (None, None)
        with open(self.directory / "stdio.log", "ab") as log:
            return subprocess.Popen(
                self._command(program),
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=user,
                group=group,
                extra_groups=None if user is None else [],
            )

    def _wait_until(self, what: str, happens: Callable[[], bool]) -> None:
        """Ask again and again; ServerFailed if that takes too long or it ends."""
        assert self._process is not None
        name = type(self).__name__
        deadline = time.monotonic() + PATIENCE
        while not happens():
            if self._process.poll() is not None:
                raise ServerFailed(f"{name} ended by itself:\n{self.log()}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"{name} gave no {what} in time:\n{self.log()}")
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.01)

    def _end(self) -> None:
        """End the process that was started, and its children."""
        if self._process is None or self._process.poll() is not None:
            return
        # The session is its own, so this reaches it and its children only. Dovecot's
        # master alone would wait a second before it tells them.
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        # Postfix's master does not wait for its children, and those listen, too.
        deadline = time.monotonic() + PATIENCE
        ports = [getattr(self, f"{service}_port") for service in self.services]
        while any(map(_is_served, ports)) and time.monotonic() < deadline:
            time.sleep(0.005)

    def _clean_up(self) -> None:
        self._end()
        shutil.rmtree(self.directory)


def below_trace(message: bytes) -> bytes:
    """The message without the lines that servers put on top of it (RFC 5321 4.4)."""
    trace = _TRACE.match(message)
    return message[trace.end() :] if trace else message


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, and are likely to be so still."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in held:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in held]


def _is_served(port: int) -> bool:
    """Whether anybody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _greets(port: int) -> bool:
    """Whether a service there accepts us and says something."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as peer:
            return bool(peer.recv(512))
    except OSError:
        return False
