"""How fast, compared with what: ``python -m benchmarks``."""
