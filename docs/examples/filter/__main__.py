"""In docs/: python -m examples.filter smtp 2525 mail.example.org 25"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from mailproto import Security, pop3, smtp

from . import Forbid
from .gateway import Upstream
from .pop3 import pop3_filter
from .smtp import smtp_filter

WORD = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR"  # of the harmless test "virus"


async def main() -> None:
    parser = argparse.ArgumentParser(prog="examples.filter", description=__doc__)
    parser.add_argument("protocol", choices=["smtp", "pop3"])
    parser.add_argument("listen", type=int, help="port on loopback")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--cleartext", action="store_true", help="no TLS on the way")
    args = parser.parse_args()
    security = Security.CLEARTEXT if args.cleartext else Security.STARTTLS
    route = Upstream(args.host, args.port, security)
    running: Any
    if args.protocol == "smtp":
        refusal = smtp.Reply(550, "that is a virus", smtp.EnhancedCode(5, 7, 1))
        running = smtp_filter(
            lambda mail, rcpts: Forbid(WORD, refusal), route, port=args.listen
        )
    else:
        no = pop3.Reply(False, "that is a virus", "SYS/PERM")
        running = pop3_filter(lambda asked: Forbid(WORD, no), route, port=args.listen)
    async with running as server:
        print(f"{args.protocol} at {server.host}:{server.port}")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
