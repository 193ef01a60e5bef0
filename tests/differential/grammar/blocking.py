"""Commands that wait: here with timeouts that end soon, for conversations in which nobody else brings anything."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.grammar.lists import counted_keys, ends
from tests.differential.grammar.streams import any_ids, consumers, groups, streams
from tests.differential.grammar.vocabulary import Words, keys, option, options, several, words

timeouts = st.sampled_from(
    [b"0.001", b"0.01", b"1e-3", b".002", b"0x1p-8", b"-1", b"-0.5", b"abc", b"", b"nan", b"inf", b"1e300"]
)
counts = option("COUNT", st.sampled_from([b"1", b"2", b"10", b"0", b"-1", b"x"]))
milliseconds = st.sampled_from([b"1", b"5", b"20", b"-1", b"1.5", b"abc", b"", b"9223372036854775807"])

lowest_or_highest = st.sampled_from([b"MIN", b"MAX", b"min", b"LEFT"])

COMMANDS: dict[str, Words] = {
    "BLPOP": words(st.just(b"BLPOP"), several(words(keys), 1), timeouts),
    "BRPOP": words(st.just(b"BRPOP"), several(words(keys), 1), timeouts),
    "BLMOVE": words(st.just(b"BLMOVE"), keys, keys, ends, ends, timeouts),
    "BRPOPLPUSH": words(st.just(b"BRPOPLPUSH"), keys, keys, timeouts),
    "BZPOPMIN": words(st.just(b"BZPOPMIN"), several(words(keys), 1), timeouts),
    "BZPOPMAX": words(st.just(b"BZPOPMAX"), several(words(keys), 1), timeouts),
    "BZMPOP": words(st.just(b"BZMPOP"), timeouts, counted_keys(), lowest_or_highest, options(counts, most=1)),
    "BLMPOP": words(st.just(b"BLMPOP"), timeouts, counted_keys(), ends, options(counts, most=1)),
    "XREAD": words(
        st.just(b"XREAD"),
        option("BLOCK", milliseconds),
        streams(st.one_of(st.sampled_from([b"$", b"+"]), any_ids)),
    ),
    "XREADGROUP": words(
        st.just(b"XREADGROUP"),
        option("GROUP", groups, consumers),
        option("BLOCK", milliseconds),
        streams(st.one_of(st.just(b">"), any_ids)),
    ),
}
