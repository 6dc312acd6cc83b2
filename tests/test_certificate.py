"""What is read of a certificate that nobody has verified."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mailproto.cli.certificate import Certificate
from mailproto.embedded.certificate import make_certificate
from tests.adapters import client_tls, server_tls


def test_a_certificate_says_for_whom_it_is() -> None:
    der = ssl.PEM_cert_to_DER_cert(
        make_certificate(["a.example", "*.b.example", "::1"])[0]
    )
    told = Certificate.read(der)
    assert (told.subject, told.issuer) == ("a.example", "a.example")
    assert told.names == ("a.example", "*.b.example", "::1")
    month = timedelta(days=30)
    assert abs(told.ends - datetime.now(UTC) - month) < timedelta(minutes=5)
    for host in ("a.example", "A.Example.", "x.b.example", "::1", "0:0::1"):
        assert told.fits(host), host
    for host in ("b.example", "x.y.b.example", "x.a.example", "127.0.0.1", "example"):
        assert not told.fits(host), host


def test_a_certificate_of_another_maker_is_read() -> None:
    ours, theirs = socket.socketpair()
    served = server_tls().wrap_socket
    thread = threading.Thread(target=lambda: served(theirs, server_side=True).close())
    thread.start()
    with client_tls().wrap_socket(ours, server_hostname="localhost") as tls:
        der = tls.getpeercert(binary_form=True)
        known: Any = tls.getpeercert()
    thread.join()
    assert der is not None
    told = Certificate.read(der)
    assert told.names == ("localhost",)
    assert told.ends.timestamp() == ssl.cert_time_to_seconds(known["notAfter"])
    assert told.starts.timestamp() == ssl.cert_time_to_seconds(known["notBefore"])
    assert "trustme" in told.issuer


CERTIFICATE = ssl.PEM_cert_to_DER_cert(make_certificate(["a.example", "::1"])[0])


@given(st.binary(max_size=80) | st.tuples(st.integers(0, 300), st.binary(max_size=4)))
def test_what_is_no_certificate_is_a_value_error(
    what: bytes | tuple[int, bytes],
) -> None:
    if isinstance(what, tuple):
        at, data = what
        what = CERTIFICATE[:at] + data + CERTIFICATE[at + len(data) :]
    with suppress(ValueError):
        Certificate.read(what)
