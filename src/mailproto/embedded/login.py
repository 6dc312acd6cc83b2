"""The server's side of a log-in, on the users of a store, for any protocol.

Who does not exist is treated like who has another password: by the same words, with
the same work, and in SCRAM with a salt that is the same every time.
"""

from __future__ import annotations

import hmac
import secrets
from functools import lru_cache
from typing import Final

from .. import sasl
from .accounts import prepared
from .store import Store

# No certificates of clients here, no strangers, and nothing bound to the channel.
_NOT_OFFERED = ("EXTERNAL", "ANONYMOUS")
# Salts, and the passwords of those who do not exist, are made of it and of the name.
_KEY: Final = secrets.token_bytes(32)


def mechanisms(*, cleartext_refused: bool) -> tuple[str, ...]:
    """What to offer, the strongest first."""
    return tuple(
        name
        for name in sasl.MECHANISMS.names
        if name not in _NOT_OFFERED
        and not name.endswith("-PLUS")
        and not (cleartext_refused and sasl.reveals_secret(name))
    )


class Login:
    """One exchange: responses in, a Challenge, Accepted or Rejected out.

    *mechanism* is one of ``mechanisms``.
    """

    def __init__(self, store: Store, mechanism: str, host: str) -> None:
        self._store = store
        exchange = sasl.MECHANISMS.serve(mechanism, sasl.Context(host=host))
        assert exchange is not None, "not one of the mechanisms"
        self._exchange = exchange

    def step(
        self, response: bytes | None
    ) -> sasl.Challenge | sasl.Accepted | sasl.Rejected:
        step = self._exchange.step(response)
        while not isinstance(step, sasl.Challenge | sasl.Accepted | sasl.Rejected):
            step = self._exchange.supply(self._answer(step))
        if isinstance(step, sasl.Accepted) and step.authzid not in ("", step.name):
            return sasl.Rejected("nobody acts for another here")
        return step

    def _answer(self, asked: object) -> bool | str | sasl.ScramKeys | None:
        match asked:
            case sasl.CheckPassword(name=name, password=password):
                return check_password(self._store, name, password)
            case sasl.CheckToken(name=name, token=token):
                return check_password(self._store, name, token)  # the same, in tests
            case sasl.NeedSecret(name=name, hash=None):
                return self._store.password(name)
            case sasl.NeedSecret(name=name, hash=str(hash)):
                return _keys(self._store, name, hash)
        return None  # whoever asks for something else is not let in


def check_password(store: Store, name: str, password: str) -> bool:
    """Whether it is the password of *name*, in the same time for any name."""
    kept, exists = secret_or_decoy(store, name)
    return sasl.same(kept, prepared(password)) and exists


def secret_or_decoy(store: Store, name: str) -> tuple[str, bool]:
    """The password of *name*, or one that nobody knows; and whether it is the former.

    A decoy that somebody could guess would let him in where a password is empty.
    """
    kept = store.password(name)
    return (_decoy(name), False) if kept is None else (kept, True)


def _keys(store: Store, name: str, hash: str) -> sasl.ScramKeys:
    salt = _made_of("salt", name)[:16]
    password, _ = secret_or_decoy(store, name)
    try:
        return _scram_keys(password, hash, salt)
    except ValueError:  # a password that SASLprep prohibits is none for SCRAM
        return _scram_keys(_decoy(name), hash, salt)


def _decoy(name: str) -> str:
    return _made_of("password", name).hex()


def _made_of(use: str, name: str) -> bytes:
    return hmac.digest(_KEY, f"{use} {prepared(name)}".encode(), "sha256")


@lru_cache(1000)
def _scram_keys(password: str, hash: str, salt: bytes) -> sasl.ScramKeys:
    return sasl.ScramKeys.derive(password, hash, salt)
