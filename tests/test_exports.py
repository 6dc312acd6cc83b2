"""What can be imported is what is meant to be, and says what it is."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from typing import Any

import pytest

import mailproto
from mailproto import pop3

PUBLIC = [
    "mailproto",
    "mailproto.pop3",
    "mailproto.smtp",
    "mailproto.imap",
    "mailproto.imap",
    "mailproto.sasl",
    "mailproto.embedded",
]


@pytest.mark.parametrize("name", PUBLIC)
def test_all_is_sorted_and_there(name: str) -> None:
    module = importlib.import_module(name)
    listed = [entry for entry in module.__all__ if entry != "__version__"]
    assert len(set(listed)) == len(listed)
    for entry in listed:
        assert getattr(module, entry) is not None


def test_a_protocol_is_imported_when_it_is_asked_for() -> None:
    code = """
import sys, mailproto
assert not any(name.startswith("mailproto.smtp") for name in sys.modules)
assert mailproto.smtp.Client
assert not any(name.startswith("mailproto.imap") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nntp'"):
        _ = mailproto.nntp  # type: ignore[attr-defined]


def modules() -> list[str]:
    found = pkgutil.walk_packages(mailproto.__path__, "mailproto.")
    return ["mailproto", *(m.name for m in found if not m.name.endswith("__main__"))]


@pytest.mark.parametrize("name", modules())
def test_every_room_says_what_it_is_for(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    assert len(module.__doc__.split("\n")[0]) <= 88
    for value in vars(module).values():
        if inspect.isclass(value) and value.__module__ == name:
            public = not value.__name__.startswith("_")
            assert not public or own_docstring(value), value


def own_docstring(kind: type[Any]) -> bool:
    """Not the signature that a dataclass makes up."""
    text = kind.__doc__ or ""
    return bool(text) and not text.startswith(f"{kind.__name__}(")


def test_every_command_names_its_rfc() -> None:
    for command in pop3.STANDARD.verbs.values():
        assert (command.__doc__ or "").startswith("RFC "), command


# From the ground up; who stands on one floor may know his neighbours.
FLOORS = [
    {"errors", "_text"},
    {"_buffer", "_command"},
    {"_proxy"},
    {"_dots", "_connection", "sasl"},
    {"_login", "services", "_session"},
    {"_lines", "_recording", "testing", "playback"},
    {"pop3", "smtp", "imap", "_async"},
    {"_blocking"},
    {"sync", "asyncio", "trio"},
    {"embedded", "cli", "progress", "storage"},
]
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def imported(name: str) -> set[str]:
    """The rooms of the house that module *name* imports from."""
    module = importlib.import_module(name)
    package = name if hasattr(module, "__path__") else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{stem}.{alias.name}" for alias in node.names}
    return {path.split(".")[1] for path in found}


@pytest.mark.parametrize("name", modules()[1:])
def test_imports_run_down_only(name: str) -> None:
    """No room knows of one above it, not even for a type."""
    room = name.split(".")[1]
    for other in imported(name) & FLOOR_OF.keys():
        assert FLOOR_OF[other] <= FLOOR_OF.get(room, len(FLOORS)), other
