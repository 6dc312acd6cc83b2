from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailproto import Security
from mailproto.services import (
    SCHEMES,
    SERVICES,
    ImapPath,
    MailUrl,
    Protocol,
    by_port,
    parse_url,
)


@pytest.mark.parametrize(
    ("name", "port", "security"),
    [
        ("pop3", 110, Security.STARTTLS),
        ("pop3s", 995, Security.IMPLICIT),
        ("kpop", 1109, Security.CLEARTEXT),
        ("imap", 143, Security.STARTTLS),
        ("imaps", 993, Security.IMPLICIT),
        ("imap-ssl", 585, Security.IMPLICIT),
        ("smtp", 25, Security.OPTIONAL),
        ("smtp-2525", 2525, Security.STARTTLS),
        ("submission", 587, Security.STARTTLS),
        ("submissions", 465, Security.IMPLICIT),
        ("lmtp", 24, Security.OPTIONAL),
    ],
)
def test_services(name: str, port: int, security: Security) -> None:
    service = SERVICES[name]
    assert (service.name, service.port, service.security) == (name, port, security)
    assert by_port(port) is service
    assert service.logged_in is (name == "kpop")
    assert service.retired is (name == "imap-ssl")


def test_every_service_is_told_of() -> None:
    assert len(SERVICES) == 11
    assert by_port(1) is None
    assert SERVICES["imaps"].srv == "_imaps._tcp"
    assert {service.protocol for service in SERVICES.values()} == set(Protocol)


URLS: list[tuple[str, dict[str, Any]]] = [
    # RFC 2384 8
    ("pop://rg@mailsrv.qualcomm.com", {"name": "rg", "port": 110}),
    ("pop://rg;AUTH=+APOP@mail.eudora.com:8110",
     {"name": "rg", "mechanism": "+APOP", "port": 8110}),
    ("pop://baz;AUTH=SCRAM-MD5@foo.bar", {"name": "baz", "mechanism": "SCRAM-MD5"}),
    # curl
    ("pop3://ann:s%3Acret@mail.example.org/3", {"password": "s:cret", "path": "3"}),
    ("pop3s://mail.example.org", {"port": 995, "name": None}),
    ("smtp://mail.example.org/client.example", {"path": "client.example"}),
    ("smtps://ann@mail.example.org", {"port": 465}),
    ("submission://mail.example.org:2587", {"port": 2587}),
    ("lmtp://localhost:24", {"host": "localhost"}),
    ("POP3://MAIL.example.org/", {"host": "MAIL.example.org", "scheme": "pop3"}),
    ("imaps://[2001:db8::1]:1993/INBOX", {"host": "2001:db8::1", "port": 1993}),
    ("imap://[::ffff:192.0.2.1]", {"host": "::ffff:192.0.2.1"}),
    ("pop3://a%40b.example@mail.example.org", {"name": "a@b.example"}),
    ("pop3://ann:@mail.example.org", {"password": ""}),
    ("pop3://;AUTH=*@mail.example.org", {"name": None, "mechanism": "*"}),
    # RFC 5092
    ("imap://minbari.example.org/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024",
     {"mailbox": ImapPath("gray-council", 385759045, 20, partial=(0, 1024))}),
    ("imap://psicorp.example.org/~peter/%E6%97%A5%E6%9C%AC%E8%AA%9E/%E5%8F%B0%E5%8C%97",
     {"mailbox": ImapPath("~peter/\u65e5\u672c\u8a9e/\u53f0\u5317")}),
    ("imap://;AUTH=GSSAPI@minbari.example.org/gray-council/;uid=20/;section=1.2",
     {"mailbox": ImapPath("gray-council", None, 20, "1.2"), "mechanism": "GSSAPI"}),
    ("imap://minbari.example.org/gray%20council?SUBJECT%20shadows",
     {"mailbox": ImapPath("gray council", search="SUBJECT shadows")}),
    ("imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:91354",
     {"mailbox": ImapPath("INBOX", None, 20, "1.2",
                          urlauth=";urlauth=submit+fred:internal:91354")}),
    ("imap://h/a/;UID=1/;PARTIAL=5",
     {"mailbox": ImapPath("a", None, 1, partial=(5, None))}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), URLS)
def test_urls(text: str, expected: dict[str, Any]) -> None:
    url = parse_url(text)
    assert {name: getattr(url, name) for name in expected} == expected
    assert parse_url(url.write(with_password=True)) == url
    assert str(url) == url.write()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a mail URL"),
        ("mail.example.org", "not a mail URL"),
        ("pop3:mail.example.org", "not a mail URL"),
        ("http://mail.example.org", "unknown scheme"),
        ("pop3://", "host is missing"),
        ("pop3://ann@", "host is missing"),
        ("pop3://ann@:110", "host is missing"),
        ("pop3://h:0", "1 to 65535"),
        ("pop3://h:65536", "1 to 65535"),
        ("pop3://h:x", "number"),
        ("pop3://h:\u0663", "number"),
        ("pop3://h:-1", "number"),
        ("pop3://[h]", "in brackets"),
        ("pop3://h\r\nx", "name or an address"),
        ("pop3://a%0d%0aDELE%201@h", "control characters"),
        ("pop3://a%00@h", "control characters"),
        ("pop3://a:b%0a@h", "password must not hold"),
        ("pop3://a%zz@h", "escapes nothing"),
        ("pop3://a%f@h", "escapes nothing"),
        ("pop3://a%ff@h", "not UTF-8"),
        ("pop3://:secret@h", "name is missing"),
        ("pop3://a;AUTH=@h", "AUTH="),
        ("pop3://a;AUTH=x y@h", "AUTH="),
        ("imap://h/a;UIDVALIDITY=0", "UIDVALIDITY"),
        ("imap://h/a/;UID=4294967296", "UID"),
        ("imap://h/a/;SECTION=1", "UID is missing"),
        ("imap://h/a/;UID=1?ALL", "of a mailbox"),
        ("imap://h//", "mailbox must not be empty"),
        ("imap://h/a?", "search must not be empty"),
        ("imap://h/a/;NONSENSE=1", "malformed"),
        ("imap://h/a%0d", "control characters"),
        ("imap://h/a;URLAUTH=a b", "printable"),
    ],
)
def test_what_is_no_url(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        parse_url(text)
    assert "secret" not in str(caught.value)


def test_the_password_is_not_shown() -> None:
    url = parse_url("pop3://ann:s3cret@mail.example.org")
    assert "s3cret" not in repr(url) + str(url)
    assert url.write(with_password=True) == "pop3://ann:s3cret@mail.example.org"


@pytest.mark.parametrize(
    "changes",
    [
        {"scheme": "imap"},
        {"host": "a b"},
        {"port": 0},
        {"name": ""},
        {"name": None, "password": "x"},
        {"name": "\ud800"},
        {"mechanism": ""},
        {"path": "x", "mailbox": ImapPath("INBOX")},
    ],
)
def test_what_cannot_be_written_cannot_be_made(changes: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"service": SERVICES["pop3"], "host": "h", "port": 1}
    with pytest.raises(ValueError):
        MailUrl(**{**fields, "scheme": "pop3", **changes})


letters = st.characters(exclude_categories=["Cs"], min_codepoint=0x20)
letters = letters.filter(lambda letter: letter != "\x7f")
texts = st.text(letters, min_size=1, max_size=20)
hosts = st.from_regex(r"\A[a-z0-9.-]{1,20}\Z") | st.just("2001:db8::1")
mailboxes = st.builds(
    ImapPath,
    texts.filter(lambda text: not text.endswith("/")),
    st.none() | st.integers(1, 2**32 - 1),
    st.integers(1, 2**32 - 1),
    st.none() | texts.filter(lambda text: not text.endswith("/")),
    st.none() | st.tuples(st.integers(0, 999), st.none() | st.integers(1, 999)),
)


@st.composite
def urls(draw: st.DrawFn) -> MailUrl:
    scheme = draw(st.sampled_from(sorted(SCHEMES)))
    service = SERVICES[SCHEMES[scheme]]
    name = draw(st.none() | texts)
    imap = service.protocol is Protocol.IMAP
    return MailUrl(
        service,
        draw(hosts),
        draw(st.just(service.port) | st.integers(1, 65535)),
        name,
        draw(st.none() | texts) if name is not None else None,
        draw(st.none() | st.sampled_from(["*", "+APOP", "SCRAM-SHA-256"])),
        "" if imap else draw(st.just("") | texts),
        draw(st.none() | mailboxes) if imap else None,
        scheme,
    )


@given(urls())
def test_what_is_written_is_read(url: MailUrl) -> None:
    assert parse_url(url.write(with_password=True)) == url


@given(
    st.text() | st.text("popimas3:/@;?%.[]=AUTHID1&+").map(lambda t: f"imap://h/{t}")
)
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        url = parse_url(text)
    except ValueError:
        return
    assert parse_url(url.write(with_password=True)) == url
