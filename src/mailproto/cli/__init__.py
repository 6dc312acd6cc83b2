"""The command line: ``mailproto check``, ``demo``, ``fetch``, ``send``, ``serve``."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from typing import Final

from .. import __version__
from . import check, demo, fetch, send, serve
from .failure import Unread, explain, turn_away

__all__ = ["main"]

#: a module each, which says how it is asked for and runs it
COMMANDS: Final = (check, demo, fetch, send, serve)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    parser = argparse.ArgumentParser(prog="mailproto", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a terminal cannot show: \xHH
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status: int = options.run(options)
        return status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Unread:
        turn_away()
        return 1
    except Exception as error:
        failure = explain(error)
        print(f"mailproto: {failure}", file=sys.stderr)
        return failure.status
