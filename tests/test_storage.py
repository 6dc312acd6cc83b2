from __future__ import annotations

import io
import os
import pty
from pathlib import Path

import pytest

from mailproto.progress import Progress
from mailproto.storage import Folder, Letter, Maildir, Seen


def files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", [Maildir, Folder])
def test_a_letter_is_there_when_it_is_kept_and_not_before(
    tmp_path: Path, kind: type[Maildir] | type[Folder]
) -> None:
    target = kind(tmp_path / "mail")
    with target.letter("uid") as letter:
        letter.write(b"half")
        seen = target.directory / "new" if kind is Maildir else target.directory
        assert [p for p in files(seen) if not p.name.startswith(".")] == []
        letter.write(b" and half")
        letter.keep()
    (path,) = files(target.directory)
    assert path.read_bytes() == b"half and half"
    with target.letter("other") as letter:
        letter.write(b"the connection was lost")
    assert files(target.directory) == [path]


def test_names_of_files_are_safe_and_tell_letters_apart(tmp_path: Path) -> None:
    target = Folder(tmp_path)
    uids = ["../../etc/passwd", "a/b", "a_b", "x" * 500, "\udcff", "."]
    for uid in uids:
        with target.letter(uid) as letter:
            letter.write(uid.encode("utf-8", "surrogateescape"))
            letter.keep()
    assert len(files(tmp_path)) == len(uids)
    assert {path.parent for path in files(tmp_path)} == {tmp_path}


def test_a_maildir_has_its_three_rooms(tmp_path: Path) -> None:
    Maildir(tmp_path / "mail")
    Maildir(tmp_path / "mail")
    assert {p.name for p in (tmp_path / "mail").iterdir()} == {"tmp", "new", "cur"}


def test_what_was_seen_is_remembered_by_account(tmp_path: Path) -> None:
    path = tmp_path / "seen"
    first = Seen(path, "pop3://ann@a")
    for uid in ("1", "two words", "\udcff"):
        first.add(uid)
    assert Seen(path, "pop3://ann@a").uids == first.uids == {"1", "two words", "\udcff"}
    assert Seen(path, "pop3://ann@b").uids == set()


def test_a_line_that_a_crash_cut_off_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "seen"
    Seen(path, "a").add("whole")
    with path.open("ab") as file:
        file.write(path.read_bytes()[:17] + b"cut o")
    again = Seen(path, "a")
    assert again.uids == {"whole"}
    again.add("next")
    assert Seen(path, "a").uids >= {"whole", "next"}


def test_a_draft_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "draft").write_bytes(b"another's")
    with pytest.raises(FileExistsError):
        Letter(tmp_path / "draft", tmp_path / "place")


def test_progress_is_drawn_on_a_terminal_and_wiped_off() -> None:
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as terminal, Progress(terminal) as progress:
        progress.step(1, 50, 100)
        progress.step(1, 60, 100)  # too soon: it is not drawn again
        progress._drawn = 0.0
        progress.step(2, 10, 0)
    shown = os.read(leader, 1000).decode()
    os.close(leader)
    assert shown.count("fetched") == 2
    assert "[###############...............] 1 fetched" in shown
    assert shown.endswith("\r\x1b[K")


def test_progress_is_silent_in_a_pipe() -> None:
    pipe = io.StringIO()
    with Progress(pipe) as progress:
        progress.step(1, 1, 1)
    assert pipe.getvalue() == ""
