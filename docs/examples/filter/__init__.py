"""A filter in front of a mail server, for SMTP and for POP3; see docs/filter.md."""

from __future__ import annotations

from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Forbid(Generic[Answer]):
    """A Judge for the sake of example: *word* must not stand in a message."""

    def __init__(self, word: bytes, refusal: Answer) -> None:
        self._word = word
        self._refusal = refusal
        self._tail = b""  # it may have been cut in the middle of the word
        self._found = False

    def feed(self, data: bytes) -> None:
        text = self._tail + data
        self._found |= self._word in text
        self._tail = text[-len(self._word) :]

    def verdict(self) -> Answer | None:
        return self._refusal if self._found else None
