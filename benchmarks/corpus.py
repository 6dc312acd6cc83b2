"""Mail that is the same in every run: seeded, and without a clock."""

from __future__ import annotations

import base64
import random

READ_SIZE = 65536


def message(seed: int, size: int, dots: float = 0.1) -> bytes:
    """Prose, about *size* octets; so large a part of the lines begins with a dot."""
    rng = random.Random(seed)
    words = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog")
    lines = [b"Subject: message %d" % seed, b""]
    while size > 0:
        line = " ".join(rng.choices(words, k=rng.randint(1, 14))).encode()
        lines.append(b"." + line if rng.random() < dots else line)
        size -= len(line) + 2
    return b"\r\n".join(lines) + b"\r\n"


def attachment(seed: int, lines: int) -> bytes:
    """Lines of base64, as they make up most of a large message: 78 octets each."""
    coded = base64.b64encode(random.Random(seed).randbytes(57 * lines))
    return b"".join(coded[at : at + 76] + b"\r\n" for at in range(0, len(coded), 76))


def stuffed(text: bytes) -> bytes:
    """*text* as POP3 and SMTP send it, its end included; it begins with no dot."""
    return text.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def reads(wire: bytes, size: int = READ_SIZE) -> list[bytes]:
    """*wire* as a socket gives it."""
    return [wire[at : at + size] for at in range(0, len(wire), size)]
