"""SMTP (RFC 5321), LMTP (RFC 2033): ``Client``, ``Server``, what they say."""

# ruff: isort: skip_file
# fmt: off
from .body import Newlines
from .client import Client
from .commands import (
    Auth, Bdat, Cancel, Content, Data, Ehlo, Envelope, Expn, Hello, Helo, Help, Lhlo,
    Mail, Noop, Query, Quit, Rcpt, Response, Rset, SmtpCommand, StartTls, Vrfy,
)
from .extensions import Atrn, Attributes, Burl, Etrn, Xclient, Xforward
from .grammar import Mailbox
from .parameters import (
    AuthAs, Body, BodyType, By, EnvId, HoldFor, HoldUntil, MtPriority, Notify,
    NotifyWhen, Orcpt, Other, Parameter, RequireTls, Ret, Returned, Rrvs, Size,
    SmtpUtf8,
)
from .responses import (
    Challenge, Closing, Deliveries, Delivery, EhloData, EnhancedCode, Extension,
    FutureRelease, Greeting, Quirk, Refusal, Reply,
)
from .scripts import NotSent, Sent, hello, log_in, send_message
from .server import Server
from .state import Dialect, LMTP, Limits, SMTP, State

__all__ = [
    "LMTP", "SMTP", "Atrn", "Attributes", "Auth", "AuthAs", "Bdat", "Body", "BodyType",
    "Burl", "By", "Cancel", "Challenge", "Client", "Closing", "Content", "Data",
    "Deliveries", "Delivery", "Dialect", "Ehlo", "EhloData", "EnhancedCode", "EnvId",
    "Envelope", "Etrn", "Expn", "Extension", "FutureRelease", "Greeting", "Hello",
    "Helo", "Help", "HoldFor", "HoldUntil", "Lhlo", "Limits", "Mail", "Mailbox",
    "MtPriority", "Newlines", "Noop", "NotSent", "Notify", "NotifyWhen", "Orcpt",
    "Other", "Parameter", "Query", "Quirk", "Quit", "Rcpt", "Refusal", "Reply",
    "RequireTls", "Response", "Ret", "Returned", "Rrvs", "Rset", "Sent", "Server",
    "Size", "SmtpCommand", "SmtpUtf8", "StartTls", "State", "Vrfy", "Xclient",
    "Xforward", "hello", "log_in", "send_message",
]
