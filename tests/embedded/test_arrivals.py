"""What comes to the embedded server is told as it comes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailproto.embedded import MailServer


@pytest.fixture(params=["memory", "file"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MailServer]:
    server = MailServer(path=None if request.param == "memory" else tmp_path / "mail")
    server.add_user("ann", "secret")
    yield server
    server.stop()


def test_what_comes_from_now_on_is_told_in_its_order(server: MailServer) -> None:
    server.deliver(b"before", to="ann")
    arrivals = server.arrivals()
    for data in (b"one", b"two"):
        server.deliver(data, to="ann")
    arrivals.close()
    server.deliver(b"too late to be waited for", to="ann")
    assert [message.data for message in arrivals][:2] == [b"one", b"two"]
    assert list(arrivals) == []  # it does not begin anew, nor wait


def test_the_next_one_is_waited_for(server: MailServer) -> None:
    arrivals = server.arrivals()
    told: list[bytes] = []
    one_is_told = threading.Event()

    def listen() -> None:
        for message in arrivals:
            told.append(message.data)
            one_is_told.set()

    listener = threading.Thread(target=listen)
    listener.start()
    server.deliver(b"one", to="ann")
    assert one_is_told.wait(30)
    server.deliver(b"two", to="ann")
    arrivals.close()
    listener.join(30)
    assert told == [b"one", b"two"]


def test_no_other_change_is_an_arrival_and_what_is_gone_is_left_out(
    server: MailServer,
) -> None:
    arrivals = server.arrivals()
    server.deliver(b"gone", to="ann")
    server.clear()
    server.add_folder("ann", "Sent")
    server.deliver(b"there", to="ann")
    arrivals.close()
    assert [message.data for message in arrivals] == [b"there"]


def test_who_does_not_look_is_no_burden(server: MailServer) -> None:
    arrivals = server.arrivals()
    for _ in range(100):
        server.deliver(b"more", to="ann")
    assert arrivals._signs.qsize() == 1
    arrivals.close()
    assert len(list(arrivals)) == 100
