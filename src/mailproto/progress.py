"""A progress bar on a terminal, and nothing in a pipe."""

from __future__ import annotations

import time
from typing import Final, Self, TextIO

WIDTH: Final = 30  # columns
EVERY: Final = 0.1  # seconds between two drawings


class Progress:
    """Drawn on *stream* if it is a terminal, wiped off at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = stream.isatty()
        self._drawn = -EVERY

    def step(self, count: int, got: int, size: int) -> None:
        """*count* messages are done, and *got* of *size* octets of the next."""
        now = time.monotonic()
        if not self._shown or now - self._drawn < EVERY:
            return
        self._drawn = now
        filled = min(WIDTH, WIDTH * got // size) if size else 0
        bar = "#" * filled + "." * (WIDTH - filled)
        self._stream.write(f"\r[{bar}] {count} fetched, {got:>10} octets\x1b[K")
        self._stream.flush()

    def note(self, text: str) -> None:
        """What goes on now, where there is nothing to count."""
        if self._shown:
            self._stream.write(f"\r{text}\x1b[K")
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
