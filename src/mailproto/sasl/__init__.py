"""SASL (RFC 4422): mechanisms as small machines, for clients and for servers.

A client logs in with a ``Mechanism``: ``Plain("ann", "secret")``.  A server serves
one: ``MECHANISMS.serve("PLAIN", Context())``.  Neither does any I/O.
"""

from .exchange import (
    MAX_RESPONSE,
    ChannelBinding,
    Exchange,
    Mechanism,
    check_name,
    decode_base64,
    encode_base64,
)
from .prepare import saslprep
from .registry import (
    MECHANISMS,
    Entry,
    Registry,
    candidates,
    choose,
    reveals_secret,
)
from .scram import HASHES, MAX_ITERATIONS, MIN_ITERATIONS, Scram, ScramKeys
from .server import (
    Accepted,
    Challenge,
    CheckAnonymous,
    CheckExternal,
    CheckPassword,
    CheckToken,
    Context,
    NeedSecret,
    Rejected,
    ServerExchange,
    Step,
    Talk,
    same,
)
from .simple import Anonymous, CramMd5, External, Login, OAuthBearer, Plain, XOAuth2

__all__ = [
    "HASHES",
    "MAX_ITERATIONS",
    "MAX_RESPONSE",
    "MECHANISMS",
    "MIN_ITERATIONS",
    "Accepted",
    "Anonymous",
    "Challenge",
    "ChannelBinding",
    "CheckAnonymous",
    "CheckExternal",
    "CheckPassword",
    "CheckToken",
    "Context",
    "CramMd5",
    "Entry",
    "Exchange",
    "External",
    "Login",
    "Mechanism",
    "NeedSecret",
    "OAuthBearer",
    "Plain",
    "Registry",
    "Rejected",
    "Scram",
    "ScramKeys",
    "ServerExchange",
    "Step",
    "Talk",
    "XOAuth2",
    "candidates",
    "check_name",
    "choose",
    "decode_base64",
    "encode_base64",
    "reveals_secret",
    "same",
    "saslprep",
]
