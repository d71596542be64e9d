"""The findings that a person should notice before training, as sentences with numbers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from m2trec_merlin.data.report.statistics import DataStatistics
from m2trec_merlin.encoded import Layout
from m2trec_merlin.shares import counted, percent

#: The most sentences; there are always at least five.
_MOST = 8
#: Weights of sentences that are always included, and of those that only fill the list.
_ALWAYS, _FILLING = 2.0, 0.0
#: Share below which gaps, repeats and the like need no decision.
_NOTABLE = 0.02


def find(statistics: DataStatistics) -> list[str]:
    """Return five to eight sentences: the most important ones, in the order of the report."""
    # Notices may begin with the name of a file, and stand elsewhere as they are.
    notices = {f"{notice}." for notice in statistics.notices}
    found = [
        (weight, text if text in notices else text[0].upper() + text[1:])
        for weight, text in _candidates(statistics)
    ]
    by_weight = sorted(range(len(found)), key=lambda i: -found[i][0])[:_MOST]
    worth = [i for i in by_weight if found[i][0] >= _NOTABLE]
    return [found[i][1] for i in sorted(worth if len(worth) >= 5 else by_weight[:5])]


def _candidates(s: DataStatistics) -> Iterator[tuple[float, str]]:
    """Yield weights and sentences; a weight is mostly the share of items or events that it is about."""
    train, test, out = s.splits["train"], s.splits["test"], s.left_out
    yield (
        _ALWAYS,
        f"Training has {train.sessions:,} sessions of {train.events / train.sessions:.1f} events on average; "
        f"{s.splits['valid'].sessions:,} sessions are for validation and {test.sessions:,} for the test.",
    )
    longest = f"data.max_session_length: {s.settings['max_session_length']}"
    if out.cut_events:
        yield (
            min(1.0, 10 * out.cut_events / train.events),
            f"{percent(out.cut_events, train.events)} of training events lie beyond {longest} and are cut; "
            f"{percent(out.long_sessions, train.sessions)} of the sessions are longer.",
        )
    else:
        yield _FILLING, f"0 training events are cut: no session is longer than {longest}."
    all_sessions = out.short_sessions + s.sessions
    least = f"{s.settings['min_session_length']} events (data.min_session_length)"
    if out.short_sessions:
        yield (
            out.short_sessions / all_sessions,
            f"{percent(out.short_sessions, all_sessions)} of all sessions ({out.short_sessions:,}) have "
            f"fewer than {least} and are left out.",
        )
    yield from ((0.5, f"{notice}.") for notice in s.notices)
    if out.cold_items:
        yield (
            _ALWAYS,
            f"{counted(out.cold_items, 'cold item was', 'cold items were')} drawn, and "
            f"{counted(out.cold_sessions, 'session')} of training and validation with one left out.",
        )
    yield (
        _ALWAYS,
        f"{percent(test.unseen_targets, test.targets)} of test targets were never seen in training"
        + (": only metadata can recommend these items." if test.unseen_targets else "."),
    )
    yield from _overlaps(s)
    if test.in_training_time / test.sessions >= _NOTABLE:
        yield (
            0.4,
            f"{percent(test.in_training_time, test.sessions)} of test sessions lie within the time of "
            f"training (data.split.kind: {s.settings['split']['kind']}): they tell little of later days.",
        )
    yield (
        0.5 - train.items / s.items / 2 + _NOTABLE,
        f"{percent(s.items - train.items, s.items)} of the {s.items:,} items have no training event.",
    )
    yield (
        s.popularity.top_1_percent + _NOTABLE,
        f"The most popular 1 % of the items seen in training have {percent(s.popularity.top_1_percent)} of "
        f"its events, and 10 % have {percent(s.popularity.top_10_percent)}.",
    )
    yield from _repeats(s)
    yield from _attributes(s)


def _overlaps(s: DataStatistics) -> Iterator[tuple[float, str]]:
    """Yield sentences about splits by time that overlap, because sessions continue after the next begins."""
    if s.settings["split"]["kind"] != "time":
        return
    for before, after in pairwise(s.splits):
        last, first, end = (
            np.datetime64(time)
            for time in (s.splits[before].last, s.splits[after].first, s.splits[after].last)
        )
        share = min(float((last - first) / np.fmax(end - first, np.timedelta64(1, "s"))), 1.0)
        if share >= _NOTABLE:
            yield (
                share,
                f"Sessions of {before} go on during {percent(share)} of the time of {after}, until "
                f"{str(last).replace('T', ' ')} (UTC): the split goes by their first event.",
            )


def _repeats(s: DataStatistics) -> Iterator[tuple[float, str]]:
    train = s.splits["train"]
    share = train.repeats / train.events
    at_once = (
        f", {percent(train.repeats_at_once, train.events)} the item just before" if train.repeats else ""
    )
    weight = share if share >= _NOTABLE else _FILLING
    yield weight, f"{percent(share)} of training events repeat an item of their session{at_once}."


def _attributes(s: DataStatistics) -> Iterator[tuple[float, str]]:
    equal = s.equal_items
    if equal.items:
        largest = equal.largest[0].items
        yield (
            equal.items / s.items + 0.1,
            f"{percent(equal.items, s.items)} of items share all their metadata with another, up to "
            f"{largest:,} at a time: a model of metadata alone cannot tell them apart.",
        )
    else:
        yield _FILLING, "0 items share all their metadata with another."
    events = s.splits["train"].events
    if equal.without_metadata_events / events >= _NOTABLE:
        yield (
            0.6,
            f"{percent(equal.without_metadata_events, events)} of training events are of items without any "
            "metadata, which are all alike to the model.",
        )
    for attribute in s.attributes:
        name = f"Attribute {attribute.name}"
        known = s.items - attribute.missing
        if attribute.missing / s.items >= _NOTABLE:
            yield (
                attribute.missing / s.items,
                f"{name} is missing for {percent(attribute.missing, s.items)} of items, which have "
                f"{percent(attribute.missing_events, events)} of training events.",
            )
        if attribute.distinct == 1 and known > 1:
            yield 0.5, f"{name} has 1 value for all {known:,} items that have any: it tells nothing."
        elif attribute.layout == Layout.IDS.value and attribute.distinct > 0.9 * known > 9:
            yield (
                0.5,
                f"{name} has {attribute.distinct:,} values for {known:,} items: as good as an id, from which "
                "little can be learnt.",
            )
        if (cut := attribute.profile.too_long) and cut / s.items >= _NOTABLE:
            yield cut / s.items, f"{name} is longer than its max_tokens for {percent(cut, s.items)} of items."
