"""The PROXY protocol's header, in front of a server connection."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import NEED_DATA, RemoteProtocolError, Security, smtp
from mailproto.smtp import ProxyHeader, ProxyReader, Transport
from mailproto.smtp.proxy import SIGNATURE
from mailproto.testing import events

ports = st.integers(0, 65535)
extras = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=9)), max_size=3)
ADDRESSES: dict[Transport, st.SearchStrategy[str]] = {
    **dict.fromkeys((Transport.TCP4, Transport.UDP4), st.ip_addresses(v=4).map(str)),
    **dict.fromkeys((Transport.TCP6, Transport.UDP6), st.ip_addresses(v=6).map(str)),
    **dict.fromkeys(
        (Transport.UNIX_STREAM, Transport.UNIX_DATAGRAM),
        st.binary(min_size=108, max_size=108).map(bytes.hex),
    ),
}


@st.composite
def headers(draw: st.DrawFn) -> ProxyHeader:
    transport = draw(st.sampled_from([*ADDRESSES, Transport.UNKNOWN]))
    if transport is Transport.UNKNOWN:
        return ProxyHeader()
    address = ADDRESSES[transport]
    unix = transport.name.startswith("UNIX")
    return ProxyHeader(
        transport,
        draw(address),
        0 if unix else draw(ports),
        draw(address),
        0 if unix else draw(ports),
        tuple(draw(extras)),
    )


def read(data: bytes, **options: Any) -> tuple[Any, bytes]:
    """What a reader makes of *data*: the same whole and byte by byte."""
    results = []
    for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
        reader = ProxyReader(**options)
        event: Any = NEED_DATA
        for i, piece in enumerate(pieces):
            reader.receive_data(piece)
            try:
                event = reader.next_event()
            except RemoteProtocolError as error:
                with pytest.raises(RemoteProtocolError):
                    reader.next_event()
                event = str(error).partition(":")[0]
                break
            if event is not NEED_DATA:
                rest = b"".join(pieces[i + 1 :])
                results.append((event, reader.trailing_data + rest))
                break
        else:
            assert reader.trailing_data == b""
        if event is NEED_DATA or isinstance(event, str):
            results.append((event, b""))
    assert results[0] == results[1]
    return results[0]


@given(headers(), st.binary(max_size=30))
def test_a_header_is_read_as_it_is_written(header: ProxyHeader, rest: bytes) -> None:
    assert ProxyHeader.read(header.write()) == header
    assert read(header.write() + rest) == (header, rest)
    if header.transport in (Transport.TCP4, Transport.TCP6, Transport.UNKNOWN):
        plain = ProxyHeader(
            header.transport,
            header.source,
            header.source_port,
            header.destination,
            header.destination_port,
        )
        assert read(plain.write(1) + rest) == (plain, rest)


@given(
    st.binary(min_size=1, max_size=150)
    | st.binary(max_size=60).map(lambda b: SIGNATURE + b)
)
def test_any_bytes_give_only_our_errors(data: bytes) -> None:
    read(data)


def test_in_front_of_a_server() -> None:
    reader = ProxyReader()
    reader.receive_data(b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 25\r\nEHLO a\r\n")
    assert reader.next_event() == ProxyHeader(
        Transport.TCP4, "192.0.2.1", 56324, "192.0.2.2", 25
    )
    server = smtp.Server(Security.CLEARTEXT)
    server.receive_data(reader.trailing_data)
    server.send(smtp.Greeting("mx"))
    assert events(server) == [smtp.Ehlo("a")]


@pytest.mark.parametrize(
    "data",
    [
        b"EHLO a\r\n",
        b"PROXX",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 01 25\r\n",
        b"PROXY TCP4 ::1 ::2 1 25\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 25 \r\n",
        b"PROXY TCP5 192.0.2.1 192.0.2.2 1 25\r\n",
        b"PROXY UNKNOWN " + b"x" * 100,
        b"PROXY " + b"x" * 200 + b"\r\n",
        SIGNATURE + b"\x11\x11\0\0",
        SIGNATURE + b"\x22\x11\0\0",
        SIGNATURE + b"\x21\x11\0\0",
        SIGNATURE + b"\x21\x44\0\0",
        SIGNATURE + b"\x21\x11\xff\xff",
        SIGNATURE + b"\x21\x00\0\x02xx",
        SIGNATURE + b"\x21\x00\0\x05x\0\x09xx",
    ],
)
def test_what_is_no_header(data: bytes) -> None:
    assert isinstance(read(data)[0], str)


def test_what_means_nothing_is_passed_over() -> None:
    assert read(b"PROXY UNKNOWN ::1 ::2 a b\r\n!") == (ProxyHeader(), b"!")
    assert read(SIGNATURE + b"\x20\x11\0\x01x!") == (ProxyHeader(), b"!")
    assert read(SIGNATURE + b"\x20\xff\0\0!") == (ProxyHeader(), b"!")
    longest = b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n"
    assert len(longest) == 107
    assert read(longest)[0] == ProxyHeader()
    odd = SIGNATURE + b"\x21\x00\0\x04\x01\0\x01x"
    assert read(odd)[0] == ProxyHeader(extras=((1, b"x"),))


def test_the_connection_ends_too_early() -> None:
    reader = ProxyReader()
    reader.receive_data(b"PROXY ")
    assert reader.next_event() is NEED_DATA
    reader.receive_data(b"")
    with pytest.raises(RemoteProtocolError, match="inside a header"):
        reader.next_event()
    reader = ProxyReader()
    reader.receive_data(b"PROXY UNKNOWN\r\n")
    assert reader.next_event() == ProxyHeader()
    reader.receive_data(b"")
    assert reader.next_event() == ProxyHeader()


@pytest.mark.parametrize(
    "arguments",
    [
        (Transport.TCP4,),
        (Transport.UNKNOWN, "192.0.2.1", 0, "192.0.2.1", 0),
        (Transport.TCP4, "192.0.2.1", 0),
        (Transport.TCP4, "::1", 0, "::1", 0),
        (Transport.TCP4, "192.0.2.1", 65536, "192.0.2.1", 0),
        (Transport.TCP4, "192.0.2.1", 0, "192.0.2.1", -1),
        (Transport.TCP4, "a\r\n", 0, "192.0.2.1", 0),
        (Transport.UNKNOWN, None, 0, None, 0, ((256, b""),)),
        (Transport.UNKNOWN, None, 0, None, 0, ((0, b"x" * 65536),)),
    ],
)
def test_a_header_checks_itself(arguments: Any) -> None:
    with pytest.raises(ValueError):
        ProxyHeader(*arguments)


def test_what_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="only of TCP"):
        ProxyHeader(Transport.UDP4, "192.0.2.1", 0, "192.0.2.1", 0).write(1)
    with pytest.raises(ValueError, match="too long"):
        ProxyHeader(extras=((0, b"x" * 65535),)).write()
