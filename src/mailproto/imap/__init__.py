"""IMAP4rev1, client and server, without I/O (RFC 3501)."""

from __future__ import annotations

from .grammar import (
    Cursor,
    GrammarError,
    Literal,
    Section,
    SequenceSet,
    Streamed,
    UidSet,
)

__all__ = [
    "Cursor",
    "GrammarError",
    "Literal",
    "Section",
    "SequenceSet",
    "Streamed",
    "UidSet",
]
