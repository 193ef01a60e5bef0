"""Bars, verdicts and the tables made of them."""

from __future__ import annotations

from bench import report
from bench.results import Bar, Row, count_met


def row(*bars: Bar, **samples: list[float]) -> Row:
    return Row("scenario", "what", "unit", bars, samples)


def test_the_better_peer_counts_where_more_is_better() -> None:
    [verdict] = row(Bar("at least", 2.0, ("a", "b")), a=[1.0], b=[2.0], gapless=[3.0]).verdicts()
    assert (verdict.peer, verdict.value, verdict.met) == ("b", 1.5, False)


def test_the_better_peer_counts_where_less_is_better() -> None:
    [verdict] = row(Bar("at most", 0.5, ("a", "b")), a=[1.0], b=[2.0], gapless=[0.5]).verdicts()
    assert (verdict.peer, verdict.value, verdict.met) == ("a", 0.5, True)


def test_a_bar_without_peers_is_the_value_itself() -> None:
    [verdict] = row(Bar("at most", 20.0), gapless=[21.0]).verdicts()
    assert (verdict.peer, verdict.value, verdict.met) == ("", 21.0, False)


def test_the_median_counts() -> None:
    assert row(a=[9.0, 1.0, 2.0]).median("a") == 2.0


def test_a_bar_is_not_judged_without_gapless_or_without_peers() -> None:
    bar = Bar("at least", 2.0, ("a",))
    rows = [row(bar, a=[1.0]), row(bar, gapless=[1.0]), row(bar, a=[0.0], gapless=[1.0])]
    assert count_met(rows) == (0, 0, 3)


def test_tables_tell_what_was_missed() -> None:
    rows = [
        row(Bar("at least", 2.0, ("a",)), Bar("at most", 4.0), a=[1.0], gapless=[3.0]),
        row(Bar("at most", 1.0), gapless=[3.0]),
    ]
    text = report.table(rows, colour=False)
    assert "\x1b" not in text
    assert [line.split()[-1] for line in text.splitlines()[2:]] == ["met", "met", "missed"]
    assert "\x1b" in report.table(rows, colour=True)
    assert report.summary(rows) == "2 of 3 bars met"
