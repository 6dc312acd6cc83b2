"""The mail programs from Debian's packages: where they are, and how they are run."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

PACKAGES = {
    "dovecot": "dovecot-pop3d dovecot-imapd dovecot-lmtpd",
    "curl": "curl",
    "fetchmail": "fetchmail",
    "mpop": "mpop",
}
"""Program -> the packages that bring it."""

PROGRAM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
"""Servers live in /usr/sbin, which an ordinary user's PATH lacks."""


class MissingProgram(Exception):
    """A program is not installed. Whether that fails or skips a test: conftest.py."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is missing: apt-get install {PACKAGES[program]}")


class ProgramFailed(Exception):
    """A program ended badly, or not in time; the text holds what it said."""


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
            stdin=subprocess.DEVNULL,
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


def _text(output: bytes | None) -> str:
    """The end of what a program said: its reasons stand last."""
    return (output or b"")[-4000:].decode(errors="replace")
