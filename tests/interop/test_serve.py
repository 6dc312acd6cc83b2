r"""Ten real programs do their usual job at ``python -m mailproto serve``.

Each is judged by the octets and the flags that are there afterwards, seen by imaplib,
and by the lines that the server says of what came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from email import message_from_bytes, policy

import pytest

from tests.interop import pop3_clients, smtp_clients
from tests.interop.imap_clients import (
    Curl,
    Mail,
    fetchmail,
    fill,
    mbsync,
    seen_by_imaplib,
)
from tests.interop.mail_readers import (
    REWRITTEN,
    before_neomutt,
    before_snail,
    getmail,
    make_maildir,
    neomutt,
    offlineimap,
    read_maildir,
    snail,
)
from tests.interop.programs import Account, Security
from tests.messages import MESSAGES
from tests.served import Served, serve

pytestmark = pytest.mark.interop

USER, PASSWORD = "ann", "s3cret"
BOB, ANN = "bob@sender.example", "ann@here.example"
ALL = [*MESSAGES.values()]
HARD = [MESSAGES[name] for name in ("lone dots", "octets of no charset", "dot last")]
NEW = b"From: ann@here.example\r\nSubject: new\r\n\r\nwritten here\r\n.\r\n"
SERVICES = {"none": "smtp", "stls": "submission", "implicit": "submissions"}

Client = Callable[..., None]

NOTHING = frozenset[str]()
SEEN, FLAGGED = frozenset({"\\Seen"}), frozenset({"\\Flagged"})


@pytest.fixture
def served() -> Iterator[Served]:
    """A server with one user; it has to end in order."""
    with serve("--user", f"{USER}:{PASSWORD}") as server:
        yield server
        if server.process.poll() is None:
            status, _, wrong = server.end()
            assert (status, wrong) == (0, "")


def account(served: Served, service: str, security: Security = "implicit") -> Account:
    port = served.ports[service]
    return Account("localhost", port, USER, PASSWORD, served.certificate, security)


def fill_inbox(served: Served, *empty: str) -> None:
    unseen = [(message, "") for message in ALL]
    fill(account(served, "imaps"), {"INBOX": unseen, **{name: [] for name in empty}})


def there(served: Served) -> dict[str, Mail]:
    return seen_by_imaplib(account(served, "imaps"))


def came(served: Served) -> list[tuple[str, ...]]:
    """At the end: the service of each message that came, from whom, and to whom."""
    status, said, wrong = served.end()
    assert (status, wrong) == (0, "")
    return [tuple(line.split("  ")[1:4]) for line in said.splitlines()]


def judge(got: Iterable[bytes], program: str) -> None:
    """All is there, octet for octet, but for what *program* writes in its own way."""
    found = set(got)
    missed = {name for name, message in MESSAGES.items() if message not in found}
    assert missed <= REWRITTEN[program]
    assert set(map(said_by, found)) == set(map(said_by, ALL))


def said_by(message: bytes) -> tuple[object, ...]:
    """The header and the text of each part, however they are folded and bounded."""
    return tuple(
        (
            tuple((name, *str(value).split()) for name, value in part.items()),
            None if part.is_multipart() else str(part.get_payload()).rstrip("\r\n"),
        )
        for part in message_from_bytes(message).walk()
    )


BY_IMAP = ("imaps", "from <>", f"to {USER}")


# -- those that send ---------------------------------------------------------------


@pytest.mark.parametrize("way", SERVICES)
@pytest.mark.parametrize("client", [smtp_clients.msmtp, smtp_clients.swaks])
def test_msmtp_and_swaks_send(served: Served, client: Client, way: Security) -> None:
    auth = "" if way == "none" else "PLAIN"
    for message in HARD:
        client(account(served, SERVICES[way], way), message, BOB, [ANN], auth=auth)
    assert there(served) == {"INBOX": dict.fromkeys(HARD, NOTHING)}
    assert came(served) == [(SERVICES[way], f"from <{BOB}>", f"to {ANN}")] * len(HARD)


# -- those that fetch --------------------------------------------------------------


def test_mpop_fetches_and_deletes(served: Served) -> None:
    fill_inbox(served)
    assert pop3_clients.mpop(account(served, "pop3s")) == ALL
    assert there(served) == {"INBOX": dict.fromkeys(ALL, NOTHING)}
    assert pop3_clients.mpop(account(served, "pop3", "stls"), delete=True) == ALL
    assert there(served) == {"INBOX": {}}


def test_fetchmail_fetches_and_deletes(served: Served) -> None:
    fill_inbox(served)
    assert fetchmail(account(served, "imaps")) == ALL
    assert there(served) == {"INBOX": dict.fromkeys(ALL, SEEN)}
    assert fetchmail(account(served, "imap", "stls")) == []
    assert pop3_clients.fetchmail(account(served, "pop3s"), delete=True) == ALL
    assert there(served) == {"INBOX": {}}


@pytest.mark.parametrize(
    ("service", "retriever"),
    [("imaps", "SimpleIMAPSSLRetriever"), ("pop3s", "SimplePOP3SSLRetriever")],
)
def test_getmail_fetches_and_deletes(
    served: Served, service: str, retriever: str
) -> None:
    fill_inbox(served)
    got = getmail(account(served, service), retriever)
    assert len(got) == len(ALL)
    judge(got, "getmail")
    assert there(served)["INBOX"].keys() == set(ALL)
    got = getmail(account(served, service), retriever, delete=True)
    assert len(got) == len(ALL)
    judge(got, "getmail")
    assert there(served) == {"INBOX": {}}


# -- those that do all of it -------------------------------------------------------


def test_curl_does_all_of_it(served: Served) -> None:
    fill_inbox(served, "Archive")
    assert pop3_clients.curl(account(served, "pop3s")) == ALL
    curl = Curl(account(served, "imap", "stls"))
    assert curl.fetch("INBOX", [2]) == ALL[1:2]
    curl.append("Archive", NEW)
    curl.say("STORE 1 +FLAGS (\\Flagged)", "INBOX")
    curl.say("UID MOVE 3:4 Archive", "INBOX")
    curl.say("UID STORE 5 +FLAGS (\\Deleted)", "INBOX")
    curl.say("EXPUNGE", "INBOX")
    sending = account(served, "submissions")
    smtp_clients.curl(sending, NEW, BOB, [ANN], auth="PLAIN")
    rest = dict.fromkeys(ALL[5:], NOTHING)
    assert there(served) == {
        "INBOX": {ALL[0]: FLAGGED, ALL[1]: SEEN, **rest, NEW: NOTHING},
        "Archive": {NEW: SEEN, **dict.fromkeys(ALL[2:4], NOTHING)},
    }
    assert came(served) == [
        *[BY_IMAP] * len(ALL),
        ("imap", *BY_IMAP[1:]),
        ("submissions", f"from <{BOB}>", f"to {ANN}"),
    ]


def test_mbsync_does_all_of_it(served: Served) -> None:
    fill_inbox(served, "Archive")
    with mbsync(account(served, "imaps")) as local:
        local.sync()
        assert local.messages("INBOX") == dict.fromkeys(ALL, NOTHING)
        local.flag("INBOX", ALL[0], "F")
        local.add("Archive", ALL[1], "S")
        local.delete("INBOX", ALL[1])
        local.delete("INBOX", ALL[2])
        local.create("Drafts")
        local.add("Drafts", NEW, "F")
        local.sync()
        wanted = {
            "INBOX": {ALL[0]: FLAGGED, **dict.fromkeys(ALL[3:], NOTHING)},
            "Archive": {ALL[1]: SEEN},
            "Drafts": {NEW: FLAGGED},
        }
        assert there(served) == wanted
        assert {name: local.messages(name) for name in wanted} == wanted
    assert came(served) == [BY_IMAP] * (len(ALL) + 2)


def test_offlineimap_does_all_of_it(served: Served) -> None:
    fill_inbox(served, "Archive")
    imap, smtp = account(served, "imaps"), account(served, "submissions")
    with offlineimap(imap, smtp) as local:
        local.sync()
        here = read_maildir(local.mail / "INBOX")
        judge(here, "offlineimap")
        assert set(here.values()) == {NOTHING}
        local.flag("INBOX", ALL[0], "FS")
        local.move("INBOX", ALL[1], "Archive")
        local.file("INBOX", ALL[2]).unlink()
        make_maildir(local.mail / "Drafts", [NEW])
        local.sync()
        wanted = {
            "INBOX": {ALL[0]: FLAGGED | SEEN, **dict.fromkeys(ALL[3:], NOTHING)},
            "Archive": {ALL[1]: SEEN},
            "Drafts": {NEW: NOTHING},
        }
        assert there(served) == wanted
        local.sync()
        assert there(served) == wanted
        for name in ("Archive", "Drafts"):
            assert read_maildir(local.mail / name) == wanted[name]
    assert came(served) == [BY_IMAP] * (len(ALL) + 2)


def test_neomutt_does_all_of_it(served: Served) -> None:
    fill_inbox(served, "Archive")
    imap, smtp = account(served, "imaps"), account(served, "submissions")
    with neomutt(imap, smtp) as reader:
        here = f"{reader.home}/here"
        reader.press(
            "=INBOX", f"<tag-pattern>~A<enter><tag-prefix><copy-message>{here}<enter>"
        )
        judge(reader.messages("here"), "neomutt")
        make_maildir(reader.home / "drafts", [NEW])
        reader.press(f"{reader.home}/drafts", "<copy-message>=Archive<enter>")
        reader.press(
            "=INBOX",
            "1<enter><flag-message>",
            "2<enter><save-message>=Archive<enter>",
            "3<enter><delete-message>",
            "4<enter><display-message><exit>",
        )
        wanted = {
            "INBOX": {ALL[0]: FLAGGED, ALL[3]: SEEN, **dict.fromkeys(ALL[4:], NOTHING)},
            "Archive": {NEW: NOTHING, ALL[1]: NOTHING},
        }
        found = there(served)
        found["Archive"] = {
            before_neomutt(message): flags
            for message, flags in found["Archive"].items()
        }
        assert found == wanted
        reader.send("by neomutt", "Grüße\n.\nAnn\n", ANN)
    judge_sent(served, "by neomutt")


def test_snail_does_all_of_it(served: Served) -> None:
    fill_inbox(served, "Archive")
    imap, smtp = account(served, "imaps"), account(served, "submissions")
    with snail(imap, smtp) as reader:
        inbox, archive = f"{reader.imap_url}/INBOX", f"{reader.imap_url}/Archive"
        reader.look(inbox, "copy * maildir://here")
        judge(reader.messages("here"), "s-nail")
        assert there(served)["INBOX"] == dict.fromkeys(ALL, NOTHING)
        make_maildir(reader.home / "drafts", [NEW])
        reader.say("maildir://drafts", f"copy 1 {archive}")
        reader.say(inbox, "flag 1", f"move 2 {archive}", "delete 3", "type 4")
        wanted = {
            "INBOX": {ALL[0]: FLAGGED, ALL[3]: SEEN, **dict.fromkeys(ALL[4:], NOTHING)},
            "Archive": {NEW: NOTHING, ALL[1]: NOTHING},
        }
        found = there(served)
        found["Archive"] = {
            before_snail(message): flags for message, flags in found["Archive"].items()
        }
        assert found == wanted
        reader.send("by s-nail", "Grüße\n.\nAnn\n", ANN)
    judge_sent(served, "by s-nail")


def judge_sent(served: Served, subject: str) -> None:
    """One message more is there, which a program has made and sent."""
    inbox = there(served)["INBOX"]
    [sent] = inbox.keys() - set(ALL)
    assert inbox[sent] == NOTHING
    message = message_from_bytes(sent, policy=policy.default)
    assert (message["Subject"], message["To"]) == (subject, ANN)
    assert message.get_content().splitlines() == ["Grüße", ".", "Ann"]
    assert came(served) == [
        *[BY_IMAP] * (len(ALL) + 1),
        ("submissions", f"from <{ANN}>", f"to {ANN}"),
    ]
