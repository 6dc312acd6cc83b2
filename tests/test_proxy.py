"""The PROXY protocol's header, in front of a server connection."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import (
    NEED_DATA,
    PAUSED,
    START_TLS,
    Bad,
    LimitExceeded,
    LocalProtocolError,
    ProxyHeader,
    RemoteProtocolError,
    Security,
    pop3,
    smtp,
)
from mailproto import ProxyTransport as Transport
from mailproto._proxy import SIGNATURE
from mailproto.testing import events
from tests.adapters import KINDS, serving

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


def read(data: bytes) -> tuple[Any, bytes]:
    """What a server makes of *data*, and what it leaves; whole and byte by byte."""
    results = []
    for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
        server = smtp.Server(Security.CLEARTEXT, proxied=True)
        result: Any = NEED_DATA
        for piece in pieces:
            server.receive_data(piece)
            try:
                signal = server.next_event()
            except RemoteProtocolError as error:
                with pytest.raises(RemoteProtocolError):
                    server.next_event()
                result = str(error).partition(":")[0]
                break
            assert signal in (NEED_DATA, PAUSED)
            assert (signal is PAUSED) == (server.proxy_header is not None)
        header = server.proxy_header
        results.append(
            (result, b"") if header is None else (header, server.trailing_data)
        )
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


TEXT = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 25\r\n"
SPIKE = ProxyHeader(Transport.TCP4, "192.0.2.1", 56324, "192.0.2.2", 25)


def test_it_stands_in_front_of_the_greeting() -> None:
    server = smtp.Server(Security.CLEARTEXT, proxied=True)
    with pytest.raises(LocalProtocolError, match="the proxy comes first"):
        server.send(smtp.Greeting("mx"))
    server.receive_data(TEXT + b"EHLO a\r\n")
    assert server.next_event() is PAUSED
    assert server.proxy_header == SPIKE
    server.send(smtp.Greeting("mx"))
    assert events(server) == [smtp.Ehlo("a")]


def test_it_stands_in_front_of_tls() -> None:
    server = pop3.Server(Security.IMPLICIT, proxied=True)
    assert not server.tls_due
    server.receive_data(TEXT)
    assert server.next_event() is START_TLS
    assert server.proxy_header == SPIKE
    server.tls_started()
    server.send(pop3.Greeting("ready"))
    server = pop3.Server(Security.IMPLICIT, proxied=True)
    server.receive_data(TEXT + b"CAPA\r\n")
    with pytest.raises(RemoteProtocolError, match="plaintext"):
        server.next_event()


def test_without_a_proxy_there_is_no_header() -> None:
    server = smtp.Server(Security.CLEARTEXT)
    server.receive_data(TEXT)
    server.send(smtp.Greeting("mx"))
    assert isinstance(events(server)[0], Bad)
    assert server.proxy_header is None


@pytest.mark.parametrize("kind", KINDS)
def test_through_every_adapter(kind: str) -> None:
    seen: list[ProxyHeader | None] = []

    def greet(session: Any) -> None:
        seen.append(session.conn.proxy_header)
        session.conn.send(pop3.Greeting("ready"))

    async def greet_async(session: Any) -> None:
        greet(session)

    handler = greet if kind == "sync" else greet_async
    with serving(kind, handler=handler, proxied=True) as port:
        with socket.create_connection(("127.0.0.1", port), 20) as sock:
            sock.sendall(TEXT)
            assert sock.recv(100) == b"+OK ready\r\n"
        with socket.create_connection(("127.0.0.1", port), 20) as sock:
            sock.sendall(b"USER ann\r\n")
            assert sock.recv(100) == b""
    assert seen == [SPIKE]


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
    server = smtp.Server(Security.CLEARTEXT, proxied=True)
    server.receive_data(b"PROXY ")
    assert server.next_event() is NEED_DATA
    server.receive_data(b"")
    with pytest.raises(RemoteProtocolError, match="closed in a PROXY header"):
        server.next_event()


def test_a_header_has_a_limit() -> None:
    server = smtp.Server(Security.CLEARTEXT, proxied=True, limits=smtp.Limits(proxy=9))
    server.receive_data(SIGNATURE + b"\x21\x11\0\x0a")
    with pytest.raises(LimitExceeded, match="proxy"):
        server.next_event()


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


def test_of_an_unknown_transport_version_1_says_no_more() -> None:
    assert ProxyHeader().write(1) == b"PROXY UNKNOWN\r\n"


def test_what_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="only of TCP"):
        ProxyHeader(Transport.UDP4, "192.0.2.1", 0, "192.0.2.1", 0).write(1)
    with pytest.raises(ValueError, match="too long"):
        ProxyHeader(extras=((0, b"x" * 65535),)).write()
