"""The mail programs from Debian's packages: where they are, and how they are run."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

PACKAGES = {
    "dovecot": "dovecot-pop3d dovecot-imapd dovecot-lmtpd",
    "curl": "curl",
    "fetchmail": "fetchmail",
    "mbsync": "isync libsasl2-modules",
    "mpop": "mpop",
    "msmtp": "msmtp",
    "postconf": "postfix",
    "swaks": "swaks libnet-ssleay-perl",
}
"""Program -> the packages that bring it."""

PROGRAM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
"""Servers live in /usr/sbin, which an ordinary user's PATH lacks."""


class Unavailable(Exception):
    """A program cannot run here. Whether that fails or skips a test: conftest.py."""


class NeedsRoot(Unavailable):
    """A program is there, but only root can run it."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} can be run by root only")


class MissingProgram(Unavailable):
    """A program is not installed."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is missing: apt-get install {PACKAGES[program]}")


class ProgramFailed(Exception):
    """A program ended badly, or not in time; the text holds what it said."""


Security = Literal["implicit", "stls", "none"]


@dataclass(frozen=True, slots=True)
class Account:
    """A user of a server, and the way to it.

    No control characters and no `"` in `user` and `password`, nor a colon in `user`:
    not every client's configuration can express them.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    ca_file: Path
    security: Security


def find(program: str) -> str:
    """The program's path; MissingProgram if there is none."""
    path = shutil.which(program, path=PROGRAM_PATH)
    if path is None:
        raise MissingProgram(program)
    return path


def run(
    program: str,
    *args: str | Path,
    home: Path,
    stdin: bytes = b"",
    accept: Sequence[int] = (0,),
    timeout: float = 60,
) -> bytes:
    """Run it as a user who has nothing but `home`; gives what it wrote to stdout.

    ProgramFailed if its status is not one of `accept`, or after `timeout` seconds.
    """
    command = [find(program), *map(str, args)]
    environment = {"HOME": str(home), "PATH": PROGRAM_PATH, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command,
            cwd=home,
            env=environment,
            input=stdin,
            capture_output=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as late:
        said = _text(late.stdout) + _text(late.stderr)
        raise ProgramFailed(f"{program} not done in {timeout} s:\n{said}") from None
    if done.returncode not in accept:
        said = _text(done.stdout) + _text(done.stderr)
        raise ProgramFailed(f"{program} ended with {done.returncode}:\n{said}")
    return done.stdout


@contextmanager
def home_directory() -> Iterator[Path]:
    """An empty home directory that goes when it is no longer needed."""
    with tempfile.TemporaryDirectory(prefix="mailproto-client-") as directory:
        yield Path(directory)


def write_secret(file: Path, *lines: str) -> None:
    """A configuration that holds a password: programs insist that nobody may look."""
    file.touch(stat.S_IRUSR | stat.S_IWUSR)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _text(output: bytes | None) -> str:
    """The end of what a program said: its reasons stand last."""
    return (output or b"")[-4000:].decode(errors="replace")
