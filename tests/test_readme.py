"""Every Python example of README and of the docs runs, and does what it says.

A comment at the end of a line that prints, or that is an expression, is what comes out.
The examples of one page build on each other; what they need around them (a server, a
session) is here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from mailproto import Security, pop3, smtp, sync
from mailproto.embedded import MailServer

ROOT = Path(__file__).parent.parent
# The tour is a file of tests: tests/test_pytest_plugin.py runs it.
PAGES = [
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs").glob("*.md") if page.stem != "tour"),
]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.S | re.M)
PRINTED = re.compile(r"^ *print\(.*\)  +# (?P<text>.+)$", re.M)


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


class World:
    """What the examples of a page find around them."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.stored: list[bytes] = []
        self.server = stack.enter_context(MailServer())
        self.server.add_user("ann", "secret")
        for text in (b"one", b"two and more"):
            self.server.deliver(b"Subject: x\r\n\r\n" + text + b"\r\n", to="ann")
        self.names: dict[str, Any] = {
            "server": self.server,
            "tls": self.server.client_context(),
            "store": lambda message: self.stored.append(bytes(message)),
            "security": Security.CLEARTEXT,
        }

    def session(self) -> AbstractContextManager[Any]:
        conn = pop3.Client()
        port, tls = self.server.ports["pop3"], self.server.client_context()
        session = sync.connect(conn, "localhost", port, tls=tls)
        session.run(pop3.log_in(conn, "ann", "secret"))
        return session

    def run(self, code: str, capsys: pytest.CaptureFixture[str]) -> None:
        expected = [found["text"] for found in PRINTED.finditer(code)]
        exec(compile(code, "example", "exec", dont_inherit=True), self.names)
        printed = capsys.readouterr().out.splitlines()
        assert [line for line in printed if line in expected] == expected


def test_there_are_examples() -> None:
    assert len(blocks(ROOT / "README.md")) >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples(
    page: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        world = World(stack)
        for code in blocks(page):
            if re.search(r"^\w.*\bsession\.run", code, re.M):
                world.names["session"] = stack.enter_context(world.session())
                world.names["pop3"] = pop3
            world.run(code, capsys)
        check = CHECKS.get(page.name)
        if check is not None:
            check(world, stack)


def check_readme(world: World, stack: ExitStack) -> None:
    assert world.names["stat"].count == 2
    assert world.names["first"].endswith(b"one\r\n")
    stack.pop_all().close()
    with ExitStack() as fresh:
        again = World(fresh)
        again.names["fetch"] = world.names["fetch"]
        world.names["tls"] = again.server.client_context()
        seen: set[str] = set()
        for expected in (2, 0):
            stored = len(world.stored)
            port = again.server.ports["pop3"]
            again.names["fetch"]("localhost", port, "ann", "secret", seen)
            assert len(world.stored) - stored == expected
        assert len(seen) == 2


def check_servers(world: World, stack: ExitStack) -> None:
    server = world.names["server"]
    stack.callback(server.close)
    conn = pop3.Client(Security.CLEARTEXT)
    with sync.connect(conn, "localhost", server.port) as session:
        session.run(pop3.log_in(conn, "ann", "secret"))
        assert session.run(pop3.Retr(1)) == world.names["MESSAGE"]
        session.run(pop3.Quit())


def check_sansio(world: World, stack: ExitStack) -> None:
    with world.session() as session:
        assert session.run(world.names["largest"]()) == 2
    import socket

    conn = pop3.Client(Security.OPTIONAL)
    port = world.server.ports["pop3"]
    with socket.create_connection(("localhost", port)) as sock:
        wire = world.names["Wire"](conn, sock, "localhost")
        assert wire.next_event() == pop3.Greeting("mailproto ready")
        call = conn.send(pop3.Capa())
        while not call.done:
            call.feed(wire.next_event())
        assert call.result().stls


def check_filter(world: World, stack: ExitStack) -> None:
    for text, refused in ((b"\r\n\r\nTVqQAAMA", True), (b"\r\n\r\nTVq", False)):
        judge = world.names["NoPrograms"](smtp.Mail(""), ())
        for octet in text:
            judge.feed(bytes([octet]))
        assert (judge.verdict() is not None) is refused


CHECKS: dict[str, Callable[[World, ExitStack], None]] = {
    "README.md": check_readme,
    "servers.md": check_servers,
    "sansio.md": check_sansio,
    "filter.md": check_filter,
}


def test_the_pages_are_linked() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert f"(docs/{page.name})" in text
    for page in PAGES:
        for target in re.findall(r"\]\(([a-z./]+\.md)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
