"""Every example of RFC 1939, 2449, 2595, 3206, 5034 and 6856, by both roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailproto.testing import bytewise, cut_at, whole
from tests.pop3.player import TRANSCRIPTS, Player, plain, read

each = pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 14


@each
def test_whole(path: Path) -> None:
    Player().play(read(path))


@each
def test_byte_by_byte(path: Path) -> None:
    steps = read(path)
    assert plain(Player(bytewise, bytewise).play(steps)) == plain(Player().play(steps))


@each
def test_cut_at_every_byte(path: Path) -> None:
    steps = read(path)
    expected = plain(Player().play(steps))
    said = {side: sum(len(s.data) for s in steps if s.side == side) for side in "CS"}
    for position in range(1, said["S"]):
        assert plain(Player(cut_at(position), whole).play(steps)) == expected
    for position in range(1, said["C"]):
        assert plain(Player(whole, cut_at(position)).play(steps)) == expected
