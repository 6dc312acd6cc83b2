from __future__ import annotations

import pytest

from mailproto.testing import Step, bytewise, cut_at, read_transcript, whole


def test_a_transcript_is_read() -> None:
    text = "# a comment\n\nS: +OK\nS: a\nC: STLS\nTLS\nX: \\x00\\\\\nC:\n"
    assert read_transcript(text) == [
        Step("S", (b"+OK", b"a")),
        Step("C", (b"STLS",)),
        Step("TLS"),
        Step("X", (b"\x00\\",)),
        Step("C", (b"",)),
    ]
    assert read_transcript("C: a\nC: b")[0].data == b"a\r\nb\r\n"


def test_what_is_no_transcript() -> None:
    with pytest.raises(ValueError, match="line 2"):
        read_transcript("S: +OK\nnonsense\n")


def test_cuts() -> None:
    assert list(whole(b"abc")) == [b"abc"]
    assert list(bytewise(b"abc")) == [b"a", b"b", b"c"]
    cut = cut_at(4)
    pieces = [list(cut(data)) for data in (b"ab", b"cdef", b"gh")]
    assert pieces == [[b"ab"], [b"cd", b"ef"], [b"gh"]]
