r"""Real clients keep mail in our IMAP server, and, to know the recipe, in Dovecot.

What fails with Dovecot is the recipe; what fails with ours alone is our server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mailproto.embedded import MailServer
from tests.interop import programs
from tests.interop.dovecot import Dovecot
from tests.interop.imap_clients import (
    FIRST,
    NOTHING,
    Curl,
    Mbsync,
    Said,
    fetchmail,
    fill,
    imaplib_session,
    mbsync,
    seen_by_imaplib,
)
from tests.interop.programs import Account, ProgramFailed
from tests.messages import MESSAGES

pytestmark = pytest.mark.interop

PASSWORD = "not a secret"
SERVICES = {"stls": "imap", "implicit": "imaps"}

DRAFTS = "Entw&APw-rfe"
FLAGS = ("", "\\Seen", "\\Answered \\Seen", "\\Flagged", "\\Draft \\Seen")
ALL = [*MESSAGES.values()]
INBOX = [(message, FLAGS[n % len(FLAGS)]) for n, message in enumerate(ALL)]
FULL = {
    "INBOX": INBOX,
    "Archive": INBOX[:2],
    "Archive/2024": INBOX[2:5],
    DRAFTS: INBOX[5:6],
    "Empty": [],
}


# Dovecot is asked once: whether TLS comes by itself is the same to a recipe.
PLACES: dict[str, tuple[str, programs.Security]] = {
    "Dovecot": ("Dovecot", "stls"),
    "ours-stls": ("ours", "stls"),
    "ours-implicit": ("ours", "implicit"),
}


@pytest.fixture(params=PLACES.values(), ids=[*PLACES])
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    """A user with an empty INBOX."""
    place, way = request.param
    if place == "Dovecot":
        with Dovecot() as dovecot:
            port, ca_file = dovecot.imap_port, dovecot.ca_file
            user, password = dovecot.user, dovecot.password
            yield Account("localhost", port, user, password, ca_file, way)
        return
    with MailServer() as server:
        server.add_user("ann", PASSWORD)
        assert server.ca_file is not None
        port = server.ports[SERVICES[way]]
        yield Account("localhost", port, "ann", PASSWORD, server.ca_file, way)


def flags(text: str) -> frozenset[str]:
    return frozenset(text.split())


# -- mbsync ------------------------------------------------------------------------


def test_mbsync_keeps_both_sides_the_same(account: Account) -> None:
    fill(account, FULL)
    count = sum(map(len, FULL.values()))
    with mbsync(account) as local:
        assert local.sync() == Said(fetched=count)
        assert local.mailboxes() == FULL.keys()
        for mailbox, messages in FULL.items():
            wanted = {message: flags(text) for message, text in messages}
            assert local.messages(mailbox) == wanted, mailbox
        files = local.files("INBOX")
        dates = [files[message].stat().st_mtime for message in ALL]
        assert dates == [FIRST + 60 * n for n in range(len(ALL))]
        assert local.sync() == NOTHING

        change_here(local)
        change_there(account)
        said = local.sync()
        assert (said.fetched, said.appended) == (1, 2)
        assert said.stored
        here = {name: local.messages(name) for name in local.mailboxes()}
        assert here == seen_by_imaplib(account)
        assert here["Neu&AOQ-"] == {NEW: flags("\\Flagged \\Seen")}
        assert here["Empty"] == {OTHER: flags("\\Flagged")}
        assert here["Archive/2024"].keys() == {ALL[2], ALL[4]}
        assert here["INBOX"].keys() == {*ALL, NEW} - {ALL[1], ALL[4]}
        changed = {n: here["INBOX"][ALL[n]] for n in (0, 2, 5, 6)}
        assert changed == {
            0: flags("\\Flagged \\Seen"),
            2: flags(""),
            5: flags("\\Answered"),
            6: flags(""),
        }
        assert local.sync() == NOTHING


NEW = "Subject: here\r\n\r\n.\r\nGrüße\r\n".encode()
OTHER = b"Subject: there\r\n\r\nfar\r\n"


def change_here(local: Mbsync) -> None:
    """Two go, two change, two come, and a mailbox."""
    local.create("Neu&AOQ-")
    local.add("Neu&AOQ-", NEW, "FS")
    local.add("INBOX", NEW)
    local.flag("INBOX", ALL[0], "FS")
    local.flag("INBOX", ALL[2], "")
    local.delete("INBOX", ALL[1])
    local.delete("Archive/2024", ALL[3])


def change_there(account: Account) -> None:
    """One goes, two change, one comes."""
    with imaplib_session(account) as session:
        session.select("INBOX")
        session.uid("STORE", "5", "+FLAGS", "(\\Deleted)")
        session.expunge()
        session.uid("STORE", "6", "+FLAGS.SILENT", "(\\Answered)")
        session.uid("STORE", "7", "FLAGS", "()")
        session.append("Empty", "(\\Flagged)", "", OTHER)


def test_mbsync_pushes_every_octet(account: Account) -> None:
    with mbsync(account) as local:
        local.create("INBOX")
        local.create("Sub/mail")
        for message in ALL:
            local.add("Sub/mail", message, "S")
        assert local.sync() == Said(appended=len(ALL))
        assert local.sync() == NOTHING
        there = seen_by_imaplib(account)["Sub/mail"]
        assert there == dict.fromkeys(ALL, flags("\\Seen"))


def test_they_are_told_of_a_wrong_password(account: Account) -> None:
    wrong = replace(account, password="wrong")
    with mbsync(wrong) as local, pytest.raises(ProgramFailed, match=r"(?i)login|auth"):
        local.sync()
    with pytest.raises(ProgramFailed, match="denied"):
        Curl(wrong).mailboxes()


@pytest.mark.parametrize("auth", ["LOGIN", "PLAIN", "CRAM-MD5", "SCRAM-SHA-256"])
def test_mechanisms_of_mbsync(account: Account, auth: str) -> None:
    with mbsync(account, auth=auth) as local:
        assert local.sync() == NOTHING
        assert local.mailboxes() == {"INBOX"}


# -- curl --------------------------------------------------------------------------


def test_curl_fetches_every_octet(account: Account) -> None:
    fill(account, {"INBOX": INBOX})
    curl = Curl(account)
    uids = range(1, len(ALL) + 1)
    assert curl.fetch("INBOX", uids) == ALL
    bodies = [message.partition(b"\r\n\r\n")[2] for message in ALL]
    assert curl.fetch("INBOX", uids, section="TEXT") == bodies
    assert seen_by_imaplib(account)["INBOX"] == {
        message: flags(text) | {"\\Seen"} for message, text in INBOX
    }


def test_curl_appends_every_octet(account: Account) -> None:
    fill(account, {DRAFTS: []})
    curl = Curl(account)
    for message in ALL:
        curl.append(DRAFTS.replace("&", "%26"), message)
    there = seen_by_imaplib(account)[DRAFTS]
    assert there == dict.fromkeys(ALL, flags("\\Seen"))


def test_curl_says_what_it_is_told(account: Account) -> None:
    fill(account, FULL)
    curl = Curl(account)
    listed = {
        line.decode().partition(' "/" ')[2].strip('"') for line in curl.mailboxes()
    }
    assert listed == FULL.keys()
    flagged = [n for n, (_, text) in enumerate(INBOX, 1) if text == "\\Flagged"]
    wanted = b" ".join(b"%d" % n for n in flagged)
    for verb in ("SEARCH", "UID SEARCH"):
        assert curl.say(f"{verb} FLAGGED", "INBOX") == [b"* SEARCH " + wanted]
    found = curl.say('SEARCH OR SUBJECT "no body" HEADER X-Blank ""', "INBOX")
    numbers = [n for n, name in enumerate(MESSAGES, 1) if name in BLANK]
    assert found == [b"* SEARCH " + b" ".join(b"%d" % n for n in numbers)]

    said = curl.say("STORE 1:2 +FLAGS (\\Deleted keyword)", "INBOX")
    assert [line[: len("* 1 FETCH ")] for line in said] == [
        b"* 1 FETCH ",
        b"* 2 FETCH ",
    ]
    shown = [flags(re.sub(r".*[(]|[)]+", "", line.decode())) for line in said]
    added = flags("\\Deleted keyword")
    assert [one - {"\\Recent"} for one in shown] == [added, added | {"\\Seen"}]
    gone = [line for line in curl.say("EXPUNGE", "INBOX") if b"EXPUNGE" in line]
    # From the first or from the last on: each is right.
    assert gone in ([b"* 1 EXPUNGE"] * 2, [b"* 2 EXPUNGE", b"* 1 EXPUNGE"])
    assert curl.say('CREATE "one"') == curl.say('RENAME "one" "two"') == []
    assert curl.say('STATUS "Archive" (MESSAGES UNSEEN)') == [
        b"* STATUS Archive (MESSAGES 2 UNSEEN 1)"
    ]
    curl.say("UID MOVE 3 two", "INBOX")
    there = seen_by_imaplib(account)
    assert list(there["INBOX"]) == ALL[3:]
    assert there["two"] == {ALL[2]: flags(INBOX[2][1])}
    with pytest.raises(ProgramFailed):
        curl.say("DELETE nowhere")


BLANK = ("empty body", "empty header values")


@pytest.mark.parametrize("auth", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_mechanisms_of_curl(account: Account, auth: str) -> None:
    assert len(Curl(account, auth=auth).mailboxes()) == 1


# -- imaplib -----------------------------------------------------------------------


def test_imaplib_goes_through_its_commands(account: Account) -> None:
    fill(account, FULL)
    with imaplib_session(account) as session:

        def said(answer: tuple[str, list[Any]]) -> list[Any]:
            status, data = answer
            assert status == "OK"
            return data

        assert said(session.select()) == [b"%d" % len(ALL)]
        assert session.response("UIDNEXT")[1] == [b"%d" % (len(ALL) + 1)]
        assert said(session.search(None, "FLAGGED", "SMALLER", "500"))[0].split()
        vars(session)["literal"] = "日本語".encode()  # as imaplib's documents have it
        found = said(session.uid("SEARCH", "CHARSET", "UTF-8", "TEXT"))
        names = ("UTF-8 header", "8-bit text")
        assert all(
            b"%d" % ([*MESSAGES].index(n) + 1) in found[0].split() for n in names[1:]
        )
        data = said(session.fetch("1", "(BODY.PEEK[]<0.10> RFC822.SIZE)"))
        assert data[0][1] == ALL[0][:10]
        assert b"RFC822.SIZE %d" % len(ALL[0]) in data[0][0] + data[1]
        for item in ("BODY[HEADER]", "RFC822.HEADER", "BODY[TEXT]", "RFC822.TEXT"):
            header, _, text = ALL[0].partition(b"\r\n\r\n")
            data = said(session.fetch("1", item))
            wanted = header + b"\r\n\r\n" if "HEADER" in item else text
            assert data[0][1] == wanted, item
        assert said(session.copy("1:3", "Empty"))
        assert b"MESSAGES 3" in said(session.status("Empty", "(MESSAGES UIDNEXT)"))[0]
        said(session.store("2", "+FLAGS", "(\\Deleted)"))
        said(session.store("3", "-FLAGS", "(\\Answered)"))
        said(session.uid("STORE", "1", "+FLAGS.SILENT", "\\Flagged"))
        assert said(session.expunge()) == [b"2"]
        said(session.subscribe("Archive/2024"))
        [line] = said(session.lsub())
        assert line.endswith(b"Archive/2024")
        assert said(session.rename("Archive", "Old"))
        assert said(session.delete("Old/2024"))
        assert said(session.noop())
        assert said(session.check())
        assert said(session.close())
        said(session.select("INBOX", readonly=True))
        session.store("1", "FLAGS", "()")  # Dovecot says OK, and does nothing
    there = seen_by_imaplib(account)
    assert there["INBOX"][ALL[0]] == flags("\\Flagged \\Seen")
    assert there["INBOX"][ALL[2]] == flags("\\Seen")
    assert list(there["INBOX"]) == [ALL[0], *ALL[2:]]
    assert list(there["Empty"]) == ALL[:3]
    assert set(there) == {"INBOX", "Old", DRAFTS, "Empty"}


# -- fetchmail ---------------------------------------------------------------------


def test_fetchmail_fetches_what_nobody_has_seen(account: Account) -> None:
    fill(account, {"INBOX": INBOX})
    unseen = [message for message, text in INBOX if "\\Seen" not in text]
    assert fetchmail(account) == unseen
    assert all("\\Seen" in each for each in seen_by_imaplib(account)["INBOX"].values())
    assert fetchmail(account) == []


@pytest.mark.parametrize("auth", ["password", "cram-md5"])
def test_mechanisms_of_fetchmail(account: Account, auth: str) -> None:
    fill(account, {"INBOX": INBOX[:1]})
    assert fetchmail(account, auth=auth) == ALL[:1]
