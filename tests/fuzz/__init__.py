"""Fuzzers, one a parser, in one registry. `python -m tests.fuzz --help` runs them."""
