"""The mail programs from Debian's packages: where they are, and how they are run."""

import os
import pty
import select
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from pwd import getpwnam
from types import MappingProxyType
from typing import Literal

PACKAGES = {
    "dovecot": "dovecot-pop3d dovecot-imapd dovecot-lmtpd",
    "curl": "curl",
    "fetchmail": "fetchmail",
    "getmail": "getmail6",
    "mbsync": "isync libsasl2-modules",
    "mpop": "mpop",
    "msmtp": "msmtp",
    "neomutt": "neomutt",
    "offlineimap": "offlineimap3",
    "postconf": "postfix",
    "s-nail": "s-nail",
    "swaks": "swaks libnet-ssleay-perl",
}
"""Program -> the packages that bring it."""

PROGRAM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
"""Servers live in /usr/sbin, which an ordinary user's PATH lacks."""

NOTHING_MORE: Mapping[str, str] = MappingProxyType({})


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
    user: str | None = None,
    more: Mapping[str, str] = NOTHING_MORE,
) -> bytes:
    """Run it as a user who has nothing but `home`; gives what it wrote to stdout.

    As *user*, whom only root can be, if one is named; with *more* in the environment.

    ProgramFailed if its status is not one of `accept`, or after `timeout` seconds.
    """
    command = [find(program), *map(str, args)]
    environment = _environment(home) | dict(more)
    try:
        done = subprocess.run(
            command,
            cwd=home,
            env=environment,
            input=stdin,
            capture_output=True,
            timeout=timeout,
            user=user,
            group=None if user is None else getpwnam(user).pw_gid,
            extra_groups=None if user is None else [],
        )
    except subprocess.TimeoutExpired as late:
        said = _text(late.stdout) + _text(late.stderr)
        raise ProgramFailed(f"{program} not done in {timeout} s:\n{said}") from None
    if done.returncode not in accept:
        said = _text(done.stdout) + _text(done.stderr)
        raise ProgramFailed(f"{program} ended with {done.returncode}:\n{said}")
    return done.stdout


def run_on_terminal(
    program: str, *args: str | Path, home: Path, timeout: float = 60
) -> None:
    """Run it on a terminal of 80 by 24 that nobody types on.

    ProgramFailed if its status is not 0, or if it shows nothing for `timeout` seconds.
    """
    leader, follower = pty.openpty()
    shown = bytearray()
    with subprocess.Popen(
        [find(program), *map(str, args)],
        cwd=home,
        env=_environment(home) | {"TERM": "vt100", "LINES": "24", "COLUMNS": "80"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    ) as process:
        os.close(follower)
        with open(leader, "rb", buffering=0) as terminal, suppress(OSError):
            # On Linux, the end is an error.
            while select.select([terminal], [], [], timeout)[0]:
                shown += terminal.read(65536)
            process.kill()
    if process.returncode:
        said = _text(bytes(shown))
        raise ProgramFailed(f"{program} ended with {process.returncode}:\n{said}")


def _environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": PROGRAM_PATH, "LC_ALL": "C"}


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
