"""The server's side of a log-in, on the users of a store, for any protocol."""

from __future__ import annotations

from .. import sasl
from .store import Store

# No certificates of clients here, no strangers, and nothing bound to the channel.
_NOT_OFFERED = ("EXTERNAL", "ANONYMOUS")


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
    """One exchange: responses in, a Challenge, Accepted or Rejected out."""

    def __init__(self, store: Store, mechanism: str, host: str) -> None:
        self._store = store
        offered = mechanism in mechanisms(cleartext_refused=False)
        context = sasl.Context(host=host)
        self._exchange = sasl.MECHANISMS.serve(mechanism, context) if offered else None

    def step(
        self, response: bytes | None
    ) -> sasl.Challenge | sasl.Accepted | sasl.Rejected:
        if self._exchange is None:
            return sasl.Rejected("no such mechanism")
        step = self._exchange.step(response)
        while not isinstance(step, sasl.Challenge | sasl.Accepted | sasl.Rejected):
            step = self._exchange.supply(self._answer(step))
        if isinstance(step, sasl.Accepted) and step.authzid not in ("", step.name):
            return sasl.Rejected("nobody acts for another here")
        return step

    def _answer(self, asked: object) -> bool | str | None:
        match asked:
            case sasl.CheckPassword(name=name, password=password):
                return check_password(self._store, name, password)
            case sasl.CheckToken(name=name, token=token):
                return check_password(self._store, name, token)  # the same, in tests
            case sasl.NeedSecret(name=name):
                return self._store.password(name)
        return None


def check_password(store: Store, name: str, password: str) -> bool:
    """Whether it is the password of *name*, in the same time for any name."""
    kept = store.password(name)
    same = sasl.same(_prepared(kept or "nobody"), _prepared(password))
    return same and kept is not None


def _prepared(password: str) -> str:
    try:
        return sasl.saslprep(password)
    except ValueError:  # then it can only be the same as it is
        return password
