"""Which mechanisms there are, how strong they are, and which one to take.

``MECHANISMS`` has those of this package.  Add your own, GSSAPI for instance, and both
roles know it: a server finds its ServerExchange here, a client its rank.

    mechanisms = MECHANISMS.extended(Entry("GSSAPI", 85, serve=my_talk))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from . import server
from .exchange import ChannelBinding, Mechanism, check_name
from .scram import HASHES, Scram
from .server import Context, ServerExchange, Talk
from .simple import CramMd5, Login, OAuthBearer, Plain, XOAuth2


@dataclass(frozen=True, slots=True)
class Entry:
    """One mechanism.

    *strength* ranks it: what proves both ends and is bound to the channel comes
    first, what hands the password over comes last.
    """

    name: str
    strength: int
    reveals_secret: bool = False
    serve: Callable[[Context, bytes | None], Talk] | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        object.__setattr__(self, "name", self.name.upper())


class Registry:
    """Mechanisms by name; names compare without regard to case."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = {entry.name: entry for entry in entries}

    def extended(self, *entries: Entry) -> Registry:
        """The same, with more of them, or with others for the same names."""
        return Registry([*self._entries.values(), *entries])

    @property
    def names(self) -> list[str]:
        """Those that a server can serve, the strongest first."""
        served = [entry for entry in self._entries.values() if entry.serve]
        return [e.name for e in sorted(served, key=lambda entry: -entry.strength)]

    def strength(self, name: str) -> int:
        """Of an unknown one: 0."""
        entry = self._entries.get(name.upper())
        return 0 if entry is None else entry.strength

    def reveals_secret(self, name: str) -> bool:
        entry = self._entries.get(name.upper())
        return entry is not None and entry.reveals_secret

    def serve(self, name: str, context: Context) -> ServerExchange | None:
        """A machine for one log-in by *name*, or ``None`` if there is no such."""
        entry = self._entries.get(name.upper())
        if entry is None or entry.serve is None:
            return None
        return ServerExchange(partial(entry.serve, context))

    def choose(
        self,
        offered: Iterable[str],
        candidates: Sequence[Mechanism],
        *,
        tls: bool,
        allow_cleartext: bool = False,
    ) -> Mechanism | None:
        """The strongest of *candidates* that is on offer, or ``None``.

        One that reveals a secret is never it unless there is *tls*, or the caller
        has said that the clear will do.
        """
        names = {name.upper() for name in offered}
        fit = [
            candidate
            for candidate in candidates
            if candidate.mechanism in names
            and (tls or allow_cleartext or not candidate.reveals_secret)
        ]
        return max(fit, key=lambda c: self.strength(c.mechanism), default=None)


def _scram_entries() -> list[Entry]:
    return [
        Entry(
            f"SCRAM-{hash}" + ("-PLUS" if plus else ""),
            (90 if plus else 60) + rank,
            serve=server.scram(hash, plus),
        )
        for rank, hash in enumerate(HASHES)
        for plus in (False, True)
    ]


# CRAM-MD5 stands above PLAIN though its server must keep the password: a server that
# is not what it seems learns nothing from it at once.
MECHANISMS: Final = Registry(
    [
        *_scram_entries(),
        Entry("EXTERNAL", 80, serve=server.external),
        Entry("OAUTHBEARER", 71, reveals_secret=True, serve=server.oauthbearer),
        Entry("XOAUTH2", 70, reveals_secret=True, serve=server.xoauth2),
        Entry("CRAM-MD5", 40, serve=server.cram_md5),
        Entry("PLAIN", 30, reveals_secret=True, serve=server.plain),
        Entry("LOGIN", 20, reveals_secret=True, serve=server.login),
        Entry("ANONYMOUS", 10, serve=server.anonymous),
    ]
)

choose = MECHANISMS.choose


def reveals_secret(mechanism: Mechanism | str) -> bool:
    """Whether whoever reads the wire could log in with what goes over it."""
    if isinstance(mechanism, Mechanism):
        return mechanism.reveals_secret
    return MECHANISMS.reveals_secret(mechanism)


def candidates(
    name: str,
    *,
    password: str = "",
    token: str = "",
    binding: ChannelBinding | None = None,
    offered: Iterable[str] = (),
) -> list[Mechanism]:
    """All that can be done with these credentials, for ``choose``.

    *offered* is what the server offers: SCRAM must say if it could have been bound
    to the channel and no -PLUS form was on offer (RFC 5802 6).
    """
    found: list[Mechanism] = []
    if token:
        found += [OAuthBearer(token, name), XOAuth2(name, token)]
    if password:
        stripped = binding is not None and not any(
            offer.upper().endswith("-PLUS") for offer in offered
        )
        with suppress(ValueError):  # a password that SASLprep does not allow
            for hash in HASHES:
                found.append(Scram(name, password, hash, could_bind=stripped))
                if binding is not None:
                    found.append(Scram(name, password, hash, binding=binding))
            found.append(CramMd5(name, password))
        found += [Plain(name, password), Login(name, password)]
    return found
