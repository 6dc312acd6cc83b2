"""``python -m mailproto serve`` as a process, and what it says."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

READY = "ready; Ctrl-C ends it\n"


class Served:
    """A server that is ready, and what it said of itself."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.says: IO[str] = process.stdout
        #: what it said until it was ready, in lines of a word and the rest
        self.told: list[tuple[str, str]] = []
        for line in iter(self.says.readline, READY):
            assert line, f"it ended: {process.communicate()[1]}"
            word, _, rest = line.strip().partition(" ")
            self.told.append((word, rest.strip()))

    @property
    def ports(self) -> dict[str, int]:
        """What it said, where that was a number."""
        return {word: int(rest) for word, rest in self.told if rest.isdecimal()}

    @property
    def certificate(self) -> Path:
        return Path(dict(self.told)["certificate"])

    def line(self) -> str:
        """The next line that it says; waits for it."""
        return self.says.readline().rstrip("\n")

    def end(self, by: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Its status, and what it said on both ways to its end."""
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@contextmanager
def serve(*options: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "mailproto", "serve", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Served(process)
        finally:
            process.kill()
