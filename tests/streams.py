"""What any protocol is fuzzed with: lines, and what does not belong between them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st


def stream_of(
    lines: list[bytes], odd: st.SearchStrategy[bytes], most: int | None = 30
) -> st.SearchStrategy[bytes]:
    """Some of *lines*, *odd* pieces among them; *most* is how many there are."""
    whole = st.sampled_from(lines).map(lambda line: line + b"\r\n")
    return st.lists(whole | odd, max_size=most).map(b"".join)


def cuts(data: bytes, positions: list[int]) -> list[bytes]:
    """*data* in pieces."""
    edges = sorted({0, len(data), *(p % (len(data) + 1) for p in positions)})
    pieces = [data[a:b] for a, b in pairwise(edges)]
    return [piece for piece in pieces if piece]
