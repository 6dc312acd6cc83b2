"""Every example of the IMAP RFCs, by both roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailproto.testing import Cut, bytewise, cut_at, whole
from tests.imap.player import TRANSCRIPTS, Player, read

each = pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)


def play(path: Path, client_cut: Cut = whole, server_cut: Cut = whole) -> Any:
    return Player(read(path), client_cut, server_cut).play()


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 28


@each
def test_whole(path: Path) -> None:
    play(path)


@each
def test_byte_by_byte(path: Path) -> None:
    assert play(path, bytewise, bytewise) == play(path)


@each
def test_cut_at_every_byte(path: Path) -> None:
    steps = read(path)
    expected = play(path)
    said = {side: sum(len(s.data) for s in steps if s.side == side) for side in "CS"}
    for position in range(1, said["S"]):
        assert play(path, cut_at(position), whole) == expected
    for position in range(1, said["C"]):
        assert play(path, whole, cut_at(position)) == expected
