"""Hundreds of connections at once: nothing is lost, and nothing is doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailproto.embedded import MailServer
from tests.embedded.crowd import FILES, allow_files, meet


@pytest.mark.parametrize(
    ("clients", "messages", "on_disk"), [(500, 20, False), (100, 5, True)]
)
def test_a_crowd_gets_all_that_it_sent(
    clients: int, messages: int, on_disk: bool, tmp_path: Path
) -> None:
    if not allow_files(FILES):
        pytest.skip(f"less than {FILES} files may be open here")
    path = tmp_path / "mail.db" if on_disk else None
    with MailServer(path=path, cleartext=True) as server:
        told = meet(server, clients, messages, timeout=110)
        assert (told["lost"], told["doubled"]) == (0, 0)
        assert len({message.data for message in server.messages}) == clients * messages
