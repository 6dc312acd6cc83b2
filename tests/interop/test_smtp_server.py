"""Real clients send to our server, and Postfix relays to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest

import mailproto.sync
from mailproto import Security, smtp
from mailproto.embedded import MailServer
from tests.interop import programs
from tests.interop.daemon import LOCALHOST, below_trace
from tests.interop.postfix import RELAYED, Postfix
from tests.interop.programs import Account, ProgramFailed
from tests.interop.smtp_clients import curl, msmtp, swaks
from tests.messages import MESSAGES

pytestmark = pytest.mark.interop

Client = Callable[..., None]
CLIENTS: dict[str, Client] = {"curl": curl, "msmtp": msmtp, "swaks": swaks}
WAYS: tuple[programs.Security, ...] = ("stls", "implicit")
SERVICES = {"none": "smtp", "stls": "submission", "implicit": "submissions"}
PASSWORD = 'quote " and Straße 7'
PLAIN = MESSAGES["plain"]
HARD = ("lone dots", "dot last", "octets of no charset", "attachment of 2 MB")
EVE, ANN, BEN = "eve@sender.example", "ann@here.example", "ben@here.example"

each = pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer(strangers=False) as running:
        running.add_user("ann", PASSWORD)
        running.add_user("ben", PASSWORD)
        yield running


def account(
    server: MailServer, security: programs.Security, password: str = PASSWORD
) -> Account:
    assert server.ca_file is not None
    port = server.ports[SERVICES[security]]
    return Account("localhost", port, "ann", password, server.ca_file, security)


# -- clients -----------------------------------------------------------------------


@each
def test_it_sends_every_octet(server: MailServer, client: Client) -> None:
    for message in MESSAGES.values():
        client(account(server, "none"), message, EVE, [ANN])
    assert [stored.data for stored in server.messages] == list(MESSAGES.values())


@each
@pytest.mark.parametrize("security", WAYS)
def test_it_sends_what_is_hard_through_tls(
    server: MailServer, client: Client, security: programs.Security
) -> None:
    for name in HARD:
        client(account(server, security), MESSAGES[name], EVE, [ANN], auth="PLAIN")
    assert [stored.data for stored in server.messages] == [MESSAGES[n] for n in HARD]


@each
def test_it_sends_through_tls_without_a_log_in(
    server: MailServer, client: Client
) -> None:
    assert server.ca_file is not None
    port = server.ports["smtp"]
    way = Account("localhost", port, "", "", server.ca_file, "stls")
    client(way, PLAIN, EVE, [ANN])
    assert [stored.data for stored in server.messages] == [PLAIN]


@each
def test_it_sends_to_more_than_one(server: MailServer, client: Client) -> None:
    client(account(server, "none"), PLAIN, EVE, [ANN, BEN])
    [stored] = server.messages
    assert stored.data == PLAIN
    assert stored.sender == EVE
    assert stored.recipients == (ANN, BEN)
    assert stored.users == ("ann", "ben")


@each
def test_it_is_told_of_a_recipient_that_is_refused(
    server: MailServer, client: Client
) -> None:
    with pytest.raises(ProgramFailed, match="550"):
        client(account(server, "none"), PLAIN, EVE, ["nobody@here.example"])
    assert server.messages == []


@each
@pytest.mark.parametrize("security", WAYS)
def test_it_is_told_of_a_wrong_password(
    server: MailServer, client: Client, security: programs.Security
) -> None:
    with pytest.raises(ProgramFailed, match=r"535|denied"):
        client(account(server, security, "wrong"), PLAIN, EVE, [ANN], auth="PLAIN")
    assert server.messages == []


@each
def test_it_must_log_in_where_that_is_demanded(
    server: MailServer, client: Client
) -> None:
    with pytest.raises(ProgramFailed, match="530"):
        client(account(server, "stls"), PLAIN, EVE, [ANN])
    assert server.messages == []


@pytest.mark.parametrize(
    ("client", "mechanism"),
    [
        (curl, "PLAIN"),
        (curl, "LOGIN"),
        (curl, "CRAM-MD5"),
        (msmtp, "PLAIN"),
        (msmtp, "LOGIN"),
        (msmtp, "CRAM-MD5"),
        (msmtp, "SCRAM-SHA-1"),
        (msmtp, "SCRAM-SHA-256"),
        (swaks, "PLAIN"),
        (swaks, "LOGIN"),
        (swaks, "CRAM-MD5"),
    ],
)
def test_mechanisms(client: Client, mechanism: str) -> None:
    name, password = "dave", "Straße 7"
    with MailServer(cleartext=True) as server:
        server.add_user(name, password)
        assert server.ca_file is not None
        ways: tuple[programs.Security, ...] = ("stls", "implicit", "none")
        for security in ways:
            implicit = security == "implicit"
            port = server.ports["submissions" if implicit else "submission"]
            way = Account("localhost", port, name, password, server.ca_file, security)
            client(way, PLAIN, EVE, [ANN], auth=mechanism)
        assert [stored.data for stored in server.messages] == 3 * [PLAIN]


# -- Postfix -----------------------------------------------------------------------


ANN_THERE, BEN_THERE = f"ann@{RELAYED}", f"ben@{RELAYED}"
NOBODY_THERE = f"nobody@{RELAYED}"


def postfix_to(server: MailServer, service: str, *, tls: bool = False) -> Postfix:
    """A Postfix that relays to that service."""
    return Postfix(
        relay_to=(LOCALHOST, server.ports[service]),
        relay_ca_file=server.ca_file if tls else None,
        lmtp=service == "lmtp",
    )


def submit(
    postfix: Postfix, letters: Iterable[tuple[bytes, str, Sequence[str]]]
) -> None:
    """Give it messages, with sender and recipients; it takes them for everybody."""
    conn = smtp.Client(Security.OPTIONAL)
    host, port = postfix.host, postfix.smtp_port
    with mailproto.sync.connect(conn, host, port, timeout=30) as session:
        for message, sender, recipients in letters:
            script = smtp.send_message(conn, message, sender, recipients)
            assert session.run(script).complete
        session.run(smtp.Quit())


@pytest.mark.parametrize("service", ["smtp", "lmtp"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_postfix_relays_each_message_once(
    server: MailServer, service: str, tls: bool
) -> None:
    """200 messages, some of them to two users: none is lost, none comes twice."""
    shapes = list(MESSAGES.values())
    sent = [b"X-Serial: %d\r\n" % n + shapes[n % len(shapes)] for n in range(200)]
    to = [[ANN_THERE, BEN_THERE] if n % 5 == 0 else [ANN_THERE] for n in range(200)]
    with postfix_to(server, service, tls=tls) as postfix:
        submit(postfix, [(message, EVE, to[n]) for n, message in enumerate(sent)])
        postfix.wait_until_idle()
    arrived = server.messages
    assert Counter(below_trace(stored.data) for stored in arrived) == Counter(sent)
    for stored in arrived:
        number = int(below_trace(stored.data).split(b"\r\n")[0].split()[1])
        assert stored.sender == EVE
        assert sorted(stored.recipients) == to[number]


@pytest.mark.parametrize("service", ["smtp", "lmtp"])
def test_postfix_tells_the_sender_whom_we_refuse(
    server: MailServer, service: str
) -> None:
    with postfix_to(server, service) as postfix:
        submit(postfix, [(PLAIN, BEN_THERE, [ANN_THERE, NOBODY_THERE])])
        stored, notice = server.wait_for(2)
    assert below_trace(stored.data) == PLAIN
    assert stored.recipients == (ANN_THERE,)
    assert notice.users == ("ben",)
    assert notice.sender == ""
    assert f"Final-Recipient: rfc822; {NOBODY_THERE}\r\n".encode() in notice.data
    assert b"550 5.1.1 no such user here" in notice.data
