"""Log in, send: scripts, run against a server that takes mail by rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from mailproto import CommandFailed, LocalProtocolError, Pipelined, Security, sasl, smtp
from mailproto.smtp import EnhancedCode, Mail, NotSent, Rcpt, Reply, State
from tests.smtp.host import ALL, Host
from tests.wire import say

LETTER = b"Subject: x\r\n\r\nHello.\r\n"
ANN, BOB, EVE = "ann@example.org", "bob@example.net", "eve@example.com"
NOBODY = Reply(550, "no such user", EnhancedCode(5, 1, 1))
TOO_MANY = Reply(452, "too many recipients", EnhancedCode(4, 5, 3))


def send(host: Host, *recipients: str | Rcpt, **options: Any) -> smtp.Sent:
    return host.run(
        smtp.send_message(host.client, LETTER, ANN, recipients or (BOB, EVE), **options)
    )


# -- before all --------------------------------------------------------------------


def test_hello_is_said_once() -> None:
    host = Host(*ALL)
    offered = host.run(smtp.hello(host.client, "client.example"))
    assert offered is not None
    assert offered.pipelining
    assert host.run(smtp.hello(host.client)) is offered
    assert host.heard == ["EHLO"]


@pytest.mark.parametrize("code", [500, 501, 502, 503, 504, 550])
def test_an_old_server_is_greeted_in_the_old_way(code: int) -> None:
    host = Host(replies={"EHLO": Reply(code)})
    assert host.run(smtp.hello(host.client)) is None
    assert host.heard == ["EHLO", "HELO"]
    assert send(host).complete


@pytest.mark.parametrize("code", [421, 450, 554])
def test_a_server_that_does_not_want_us_is_not_asked_in_another_way(code: int) -> None:
    host = Host(replies={"EHLO": Reply(code)})
    with pytest.raises(CommandFailed) as refused:
        host.run(smtp.hello(host.client))
    assert refused.value.answer.code == code
    assert host.heard == ["EHLO"]


def test_tls_comes_first_where_it_is_demanded() -> None:
    host = Host("STARTTLS", "AUTH PLAIN", security=Security.STARTTLS)
    assert host.run(smtp.log_in(host.client, "ann", "secret")) == "PLAIN"
    assert host.heard == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


def test_tls_comes_after_a_hello_that_was_said_say() -> None:
    host = Host("STARTTLS", security=Security.STARTTLS)
    host.run(say(smtp.Ehlo("client.example")))
    assert send(host).complete
    assert host.heard[:3] == ["EHLO", "STARTTLS", "EHLO"]


def test_there_is_no_way_around_tls() -> None:
    for replies in ({"STARTTLS": Reply(454)}, {"EHLO": Reply(502)}):
        host = Host("STARTTLS", security=Security.STARTTLS, replies=replies)
        with pytest.raises(CommandFailed):
            send(host)
        assert host.heard[-1] in replies
    host = Host(security=Security.STARTTLS)
    with pytest.raises(LocalProtocolError, match="STARTTLS is not offered"):
        send(host)


def test_in_lmtp_it_is_called_lhlo() -> None:
    host = Host(dialect=smtp.LMTP, replies={"LHLO": Reply(500)})
    with pytest.raises(CommandFailed):
        host.run(smtp.hello(host.client))
    assert host.heard == ["LHLO"]


# -- log in ------------------------------------------------------------------------


def test_the_strongest_mechanism_on_offer_is_taken() -> None:
    host = Host("AUTH LOGIN PLAIN EXTERNAL")
    known = [sasl.Plain("ann", "secret"), sasl.External()]
    log_in = smtp.log_in(host.client, "ann", mechanisms=known)
    assert host.run(log_in) == "EXTERNAL"


def test_a_token_is_for_oauth() -> None:
    host = Host("AUTH PLAIN XOAUTH2 OAUTHBEARER")
    assert host.run(smtp.log_in(host.client, "ann", token="t0ken")) == "OAUTHBEARER"


def test_a_refused_password_is_not_tried_again_in_a_weaker_way() -> None:
    host = Host("AUTH CRAM-MD5 PLAIN LOGIN", replies={"AUTH": Reply(535)})
    with pytest.raises(CommandFailed):
        host.run(smtp.log_in(host.client, "ann", "secret"))
    assert host.heard == ["EHLO", "AUTH"]


@pytest.mark.parametrize("offers", [(), ("AUTH GSSAPI",)])
def test_there_may_be_no_way_to_log_in(offers: tuple[str, ...]) -> None:
    host = Host(*offers)
    with pytest.raises(LocalProtocolError, match="no way to log in"):
        host.run(smtp.log_in(host.client, "ann", "secret"))


def test_a_server_without_ehlo_has_no_log_in() -> None:
    host = Host(replies={"EHLO": Reply(502)})
    with pytest.raises(LocalProtocolError, match="on offer: none"):
        host.run(smtp.log_in(host.client, "ann", "secret"))


def test_a_password_goes_in_the_clear_only_if_one_says_so() -> None:
    client = smtp.Client(Security.OPTIONAL)
    host = Host("AUTH PLAIN", client=client)
    with pytest.raises(LocalProtocolError, match="no way to log in"):
        host.run(smtp.log_in(client, "ann", "secret"))
    assert host.heard == ["EHLO"]


# -- send --------------------------------------------------------------------------


def test_a_message_takes_two_turns_of_the_wire() -> None:
    host = Host(*ALL)
    host.run(smtp.hello(host.client))
    before = host.turns
    sent = send(host)
    assert sent.accepted == {BOB: Reply(250, "kept"), EVE: Reply(250, "kept")}
    assert sent.complete
    assert host.turns - before == 2
    assert host.heard[1:] == ["MAIL", "RCPT", "RCPT", "DATA"]
    [transaction] = host.sent
    assert transaction.data == LETTER
    assert transaction.mail == Mail(ANN, smtp.Size(len(LETTER)))


def test_without_pipelining_each_waits_for_the_one_before() -> None:
    host = Host(replies={f"TO:<{EVE}>": NOBODY})
    sent = send(host)
    assert sent.accepted.keys() == {BOB}
    assert sent.refused == {EVE: NOBODY}
    assert not sent.complete
    assert host.turns == 6
    assert host.sent[0].mail == Mail(ANN)


def test_by_bdat_where_there_is_chunking() -> None:
    host = Host(*ALL, "CHUNKING")
    assert send(host).complete
    assert host.heard == ["EHLO", "MAIL", "RCPT", "RCPT", "BDAT"]
    assert host.sent[0].data == LETTER


@pytest.mark.parametrize("offers", [(), ALL, (*ALL, "CHUNKING")])
def test_of_each_it_is_told_what_became(offers: tuple[str, ...]) -> None:
    host = Host(*offers, replies={f"TO:<{BOB}>": NOBODY})
    sent = send(host, BOB, EVE, BOB)
    assert sent.refused == {BOB: NOBODY}
    assert sent.accepted.keys() == {EVE}
    assert host.heard.count("RCPT") == 2
    assert host.client.state is State.READY


@pytest.mark.parametrize("offers", [(), ALL, (*ALL, "CHUNKING")])
def test_nobody_who_gets_it_is_an_error(offers: tuple[str, ...]) -> None:
    gone = Reply(550, "gone")
    host = Host(*offers, replies={f"TO:<{BOB}>": NOBODY, f"TO:<{EVE}>": gone})
    with pytest.raises(NotSent) as refused:
        send(host)
    assert refused.value.command == Rcpt(BOB)
    assert refused.value.answer == NOBODY
    assert refused.value.refused == {BOB: NOBODY, EVE: gone}
    assert not host.sent
    assert "BDAT" not in host.heard
    host.replies.clear()
    assert send(host).complete  # the session goes on


@pytest.mark.parametrize("offers", [(), ALL, (*ALL, "CHUNKING")])
def test_a_sender_who_is_refused(offers: tuple[str, ...]) -> None:
    host = Host(*offers, replies={"MAIL": Reply(550, "not you")})
    with pytest.raises(NotSent, match="not you") as refused:
        send(host)
    assert refused.value.refused.keys() == {BOB, EVE}
    assert ("RCPT" in host.heard) == (offers == (*ALL,)) or "RCPT" not in host.heard
    assert host.client.state is State.READY


@pytest.mark.parametrize("offers", [(), ALL, (*ALL, "CHUNKING")])
@pytest.mark.parametrize("code", [452, 552, 554])
def test_success_is_what_the_last_reply_says(
    offers: tuple[str, ...], code: int
) -> None:
    verdict = Reply(code, "after all, no")
    host = Host(*offers, replies={"END": verdict, f"TO:<{EVE}>": NOBODY})
    with pytest.raises(NotSent) as refused:
        send(host)
    assert refused.value.refused == {BOB: verdict, EVE: NOBODY}
    assert host.client.state is State.READY
    assert send(Host(*offers)).complete


WAYS = [(), ("CHUNKING",), ALL, (*ALL, "CHUNKING")]
BYE = Reply(421, "bye")


@pytest.mark.parametrize("offers", WAYS)
@pytest.mark.parametrize("at", ["MAIL", f"TO:<{BOB}>", f"TO:<{EVE}>", "DATA", "END"])
def test_a_server_that_hangs_up_gets_nothing_more(
    offers: tuple[str, ...], at: str
) -> None:
    if at == "DATA" and "CHUNKING" in offers:
        at = "BDAT"
    host = Host(*offers, replies={at: BYE})
    with pytest.raises(NotSent, match="421 bye") as refused:
        send(host)
    assert refused.value.refused == {BOB: BYE, EVE: BYE}
    assert host.client.state is State.CLOSED
    assert "RSET" not in host.heard


@pytest.mark.parametrize("offers", WAYS)
@pytest.mark.parametrize("rset", [BYE, Reply(500)])
def test_why_nobody_gets_it_is_not_forgotten_over_rset(
    offers: tuple[str, ...], rset: Reply
) -> None:
    host = Host(*offers, replies={"RCPT": NOBODY, "RSET": rset})
    with pytest.raises(NotSent, match="no such user") as refused:
        send(host)
    assert refused.value.refused == {BOB: NOBODY, EVE: NOBODY}
    host = Host(*offers, replies={"RSET": rset})
    with pytest.raises(LocalProtocolError, match="RRVS"):
        send(host, BOB, Rcpt(EVE, smtp.Rrvs(datetime(2020, 1, 1, tzinfo=UTC))))


def test_a_refused_chunk_is_not_forgotten_over_rset() -> None:
    full = Reply(452, "disk full")
    host = Host(*ALL, "CHUNKING", replies={"END": full, "RSET": BYE})
    with pytest.raises(NotSent, match="disk full") as refused:
        send(host)
    assert refused.value.refused == {BOB: full, EVE: full}
    assert host.client.state is State.CLOSED


def test_a_message_to_all_or_none() -> None:
    for offers in ((), ALL, (*ALL, "CHUNKING")):
        host = Host(*offers, replies={f"TO:<{EVE}>": NOBODY})
        with pytest.raises(NotSent) as refused:
            send(host, partial=False)
        assert refused.value.refused == {EVE: NOBODY}
        assert host.heard[-1] == "RSET"
        assert not host.sent
        assert send(Host(*offers), partial=False).complete


def test_a_message_needs_a_recipient() -> None:
    host = Host(*ALL)
    with pytest.raises(ValueError, match="needs a recipient"):
        host.run(smtp.send_message(host.client, LETTER, ANN, []))


def test_parameters_of_ones_own() -> None:
    host = Host(*ALL)
    mail = Mail("", smtp.Ret(smtp.Returned.HDRS), smtp.Size(7))
    bob = Rcpt(BOB, smtp.Notify())
    host.run(smtp.send_message(host.client, LETTER, mail, [bob]))
    assert host.sent[0].mail == mail
    assert host.sent[0].recipients == [bob]


def test_what_cannot_be_said_ends_the_transaction() -> None:
    for offers in (("PIPELINING",), ()):
        host = Host(*offers)
        with pytest.raises(LocalProtocolError, match="DSN is not offered"):
            send(host, BOB, Rcpt(EVE, smtp.Notify()))
        assert host.client.state is State.READY
        assert host.heard[-1] == "RSET"
        assert send(host).complete


def test_a_message_that_is_too_large_is_not_begun() -> None:
    host = Host(*ALL)
    large = LETTER + b"x" * 1000
    with pytest.raises(LocalProtocolError, match="larger than 1000"):
        host.run(smtp.send_message(host.client, large, ANN, [BOB]))
    assert host.heard == ["EHLO"]


def test_a_wait_that_was_given_up_leaves_no_transaction() -> None:
    host = Host(*ALL)
    host.run(say(smtp.Ehlo("client.example")))
    host.run(say(Mail(ANN)))
    assert send(host).complete
    assert host.heard[1:3] == ["MAIL", "RSET"]
    host.client.send(Mail(ANN))
    assert host.client.state is State.READY
    assert host.client.ahead is State.MAIL
    assert send(host).complete


# -- many recipients ---------------------------------------------------------------

MANY = [f"r{n}@d{n % 3}.example" for n in range(7)]


def test_so_many_as_the_server_takes_at_once() -> None:
    host = Host(*ALL, "LIMITS RCPTMAX=3")
    assert send(host, *MANY).accepted.keys() == set(MANY)
    assert [len(each.recipients) for each in host.sent] == [3, 3, 1]


def test_so_many_domains_as_the_server_takes_at_once() -> None:
    host = Host(*ALL, "LIMITS RCPTDOMAINMAX=1")
    several = ["a@x.example", "b@X.example", "Postmaster", "c@y.example"]
    assert send(host, *several).complete
    assert [len(each.recipients) for each in host.sent] == [3, 1]


def test_those_who_are_too_many_get_the_next_transaction() -> None:
    class Few(Host):
        """It takes two of them."""

        def answer(self, event: Any) -> Iterator[Any]:
            full = len(self.transactions[-1].recipients) if self.transactions else 0
            self.replies.pop("RCPT", None)
            if full >= 2:
                self.replies["RCPT"] = TOO_MANY
            return super().answer(event)

    for offers in ((), ALL, (*ALL, "CHUNKING")):
        host = Few(*offers)
        assert send(host, *MANY).accepted.keys() == set(MANY)
        assert [len(each.recipients) for each in host.sent] == [2, 2, 2, 1]
        with pytest.raises(NotSent):
            send(Few(*offers), *MANY, partial=False)


def test_one_who_is_always_too_many_is_refused_in_the_end() -> None:
    full = Reply(452, "mailbox full", EnhancedCode(4, 2, 2))
    many = Reply(552, "too many", EnhancedCode(5, 0, 0))
    replies = {f"TO:<{EVE}>": many, f"TO:<{MANY[0]}>": full}
    host = Host(*ALL, replies=replies)
    sent = send(host, BOB, MANY[0], EVE)
    assert sent.refused == {EVE: many, MANY[0]: full}
    assert len(host.transactions) == 2
    assert host.heard.count("RCPT") == 4  # who is full is not asked again


def test_all_or_none_needs_one_transaction() -> None:
    host = Host(*ALL, "LIMITS RCPTMAX=3")
    with pytest.raises(LocalProtocolError, match="one transaction"):
        send(host, *MANY, partial=False)
    assert host.heard == ["EHLO"]


def test_those_whom_this_session_may_not_send_to_are_told_of() -> None:
    host = Host(*ALL, "LIMITS RCPTMAX=3 MAILMAX=2")
    sent = send(host, *MANY)
    assert sent.accepted.keys() == set(MANY[:6])
    assert sent.untried == (MANY[6],)
    assert not sent.complete
    with pytest.raises(LocalProtocolError, match="only 2 messages"):
        send(host)


class Second(Host):
    """Its second transaction, and all that follow, are answered by *later*."""

    later: Mapping[str, Reply] = {}

    def answer(self, event: Any) -> Iterator[Any]:
        if isinstance(event, Mail) and self.transactions:
            self.replies.update(self.later)
        return super().answer(event)


@pytest.mark.parametrize("offers", WAYS)
@pytest.mark.parametrize("at", ["MAIL", f"TO:<{MANY[3]}>", f"TO:<{MANY[4]}>", "END"])
@pytest.mark.parametrize("code", [421, 550])
def test_what_was_accepted_is_told_whatever_comes_later(
    offers: tuple[str, ...], at: str, code: int
) -> None:
    no = Reply(code, "no more")
    host = Second(*offers, "LIMITS RCPTMAX=2")
    host.later = {at: no, "RSET": BYE}
    sent = send(host, *MANY)
    assert not sent.complete
    told = [*sent.accepted, *sent.refused, *sent.untried]
    assert sorted(told) == sorted(MANY)  # each once
    assert sent.accepted.keys() == {
        rcpt.recipient for each in host.sent for rcpt in each.recipients
    }
    assert set(MANY[:2]) <= sent.accepted.keys()
    assert set(sent.refused.values()) == {no}


def test_of_those_whom_nobody_asked_for_a_421_tells() -> None:
    for offers in WAYS:
        host = Host(*offers, "LIMITS RCPTMAX=2", replies={f"TO:<{MANY[1]}>": BYE})
        with pytest.raises(NotSent) as refused:
            send(host, *MANY)
        assert refused.value.refused == dict.fromkeys(MANY, BYE)
        assert host.heard.count("MAIL") == 1


def test_what_cannot_be_said_later_leaves_no_transaction() -> None:
    host = Host(*ALL[:3], "LIMITS RCPTMAX=1")
    sent = send(host, BOB, Rcpt(EVE, smtp.Notify()))
    assert sent.accepted.keys() == {BOB}
    assert sent.untried == (EVE,)
    assert host.client.state is State.READY
    assert host.heard[-1] == "RSET"


# -- LMTP --------------------------------------------------------------------------


@pytest.mark.parametrize("offers", [(), ("PIPELINING",), ("PIPELINING", "CHUNKING")])
def test_in_lmtp_each_has_a_last_word_of_his_own(offers: tuple[str, ...]) -> None:
    full = Reply(452, "over quota")
    replies = {f"TO:<{ANN}>": NOBODY, f"END {EVE}": full}
    host = Host(*offers, replies=replies, dialect=smtp.LMTP)
    sent = send(host, ANN, BOB, EVE)
    assert sent.accepted == {BOB: Reply(250, BOB)}
    assert sent.refused == {ANN: NOBODY, EVE: full}
    host.replies[f"END {BOB}"] = full
    with pytest.raises(NotSent) as refused:
        send(host, ANN, BOB, EVE)
    assert refused.value.refused == {ANN: NOBODY, BOB: full, EVE: full}


@pytest.mark.parametrize(
    ("offers", "kinds"),
    [
        (ALL, [Mail, Rcpt, smtp.Data]),
        # A message by BDAT would go out whole, to nobody in the end.
        ((*ALL, "CHUNKING"), [Mail, Rcpt]),
    ],
)
def test_a_script_says_together_what_it_may(
    offers: tuple[str, ...], kinds: list[type[smtp.SmtpCommand[Any]]]
) -> None:
    client = smtp.Client(Security.CLEARTEXT)
    host = Host(*offers, client=client)
    host.run(smtp.hello(client))
    step = next(smtp.send_message(client, LETTER, ANN, [BOB]))
    assert isinstance(step, Pipelined)
    assert [type(command) for command in step.commands] == kinds
