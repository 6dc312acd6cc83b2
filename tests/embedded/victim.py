"""A process that serves mail from a file until it is killed, again and again.

    python -m tests.embedded.victim FILE

For every line on its standard input it forks a child that serves, and prints a line of
JSON: the child's process and its ports.  To start Python anew would take longer than
such a life lasts.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import sys

from mailproto.embedded import MailServer

USERS = ("ann", "bob")
PASSWORD = "secret"


# A certificate is not needed, and takes most of the time of a start.
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def serve(path: str) -> None:
    with MailServer(path=path, cleartext=True, tls=TLS) as server:
        for user in USERS:
            if user not in server.users:
                server.add_user(user, PASSWORD)
        print(json.dumps([os.getpid(), server.host, server.ports]), flush=True)
        signal.pause()


if __name__ == "__main__":
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            sys.stdin.close()
            serve(sys.argv[1])
        os.waitpid(child, 0)
