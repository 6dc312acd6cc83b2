from __future__ import annotations

from mailproto.providers import PROVIDERS, by_domain, by_host


def test_the_table_of_providers_is_sound() -> None:
    domains = [domain for each in PROVIDERS for domain in each.domains]
    assert len(domains) == len(set(domains))
    for each in PROVIDERS:
        assert by_domain(each.domains[0].upper()) is each
        assert all(source.startswith("https://") for source in each.sources)
        assert any(name in each.hosts for name in ("imap", "imaps"))
        assert "submission" in each.hosts
        for host in each.hosts.values():
            assert by_host(host) is not None
    assert by_domain("example.org") is None
    assert by_host("example.org") is None
