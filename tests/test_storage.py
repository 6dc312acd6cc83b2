from __future__ import annotations

import io
import os
import pty
from pathlib import Path

import pytest

from mailproto.progress import Progress
from mailproto.storage import Folder, Letter, Maildir, Marks, Seen, sub_folder


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
    shown = ""
    while not shown.endswith("\r\x1b[K"):  # a terminal hands over what has got there
        shown += os.read(leader, 1000).decode()
    os.close(leader)
    assert shown.count("fetched") == 2
    assert "[###############...............] 1 fetched" in shown


def test_progress_is_silent_in_a_pipe() -> None:
    pipe = io.StringIO()
    with Progress(pipe) as progress:
        progress.step(1, 1, 1)
    assert pipe.getvalue() == ""


def test_marks_are_remembered_by_account_and_the_last_counts(tmp_path: Path) -> None:
    path = tmp_path / "marks"
    marks = Marks(path, "ann@a")
    for mailbox in ("INBOX", "two words\n", "\udcff", "grüße"):
        for uid in (1, 7):
            marks.set(mailbox, 3857529045, uid)
    Marks(path, "bob@a").set("INBOX", 1, 2)
    again = Marks(path, "ann@a")
    assert again.known() == marks.known()
    assert again.known()["two words\n"] == (3857529045, 7)
    assert Marks(path, "bob@a").known() == {"INBOX": (1, 2)}


def test_a_mark_that_was_cut_off_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "marks"
    Marks(path, "ann@a").set("INBOX", 1, 2)
    Marks(path, "ann@a").set("INBOX", 1, 35)
    whole = path.read_bytes()
    for cut in range(1, len(whole) // 2):
        path.write_bytes(whole[:-cut])
        marks = Marks(path, "ann@a")
        assert marks.known() == {"INBOX": (1, 2)}
        marks.set("Work", 5, 6)
        assert Marks(path, "ann@a").known() == {"INBOX": (1, 2), "Work": (5, 6)}
    assert files(tmp_path) == [path]


def test_marks_that_count_no_more_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "marks"
    marks = Marks(path, "ann@a")
    marks.set("INBOX", 1, 1)
    line = path.read_bytes()
    path.write_bytes(line * 1002)
    assert Marks(path, "ann@a").known() == {"INBOX": (1, 1)}
    assert path.read_bytes() == line


def test_no_mailbox_leads_out_of_the_directory_nor_into_another(tmp_path: Path) -> None:
    names = [
        "INBOX", "Work", "Work/2026", "Work.2026", "..", ".", "/", "//", "../../etc",
        "", "a/", "/a", "~", "grüße", "\udcff", "x" * 500, "x" * 501, "%",
        "mailproto-marks", "INBOX/x", "a b", "tmp", "new",
    ]  # fmt: skip
    for kind in (Maildir, Folder):
        for delimiter in ("/", ".", None):
            parent = kind(tmp_path / kind.__name__ / str(delimiter))
            rooms = [sub_folder(parent, name, delimiter).directory for name in names]
            assert len(set(rooms)) == len(names)
            for room in rooms:
                assert room.resolve() == room
                assert parent.directory in (room, room.parent)
                assert room.name not in (".mailproto-marks", ".mailproto-seen")
    assert sub_folder(parent, "inbox", "/").directory.name == "INBOX"
    maildir = Maildir(tmp_path / "m")
    assert sub_folder(maildir, "Inbox", "/") is maildir
    assert sub_folder(maildir, "Work/2026", "/").directory.name == ".Work.2026"
