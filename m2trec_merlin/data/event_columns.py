"""Further columns of events besides session, item and order: event attributes and targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from m2trec_merlin.attributes import Attribute
from m2trec_merlin.attributes.alike import doubts_of_numbers
from m2trec_merlin.column_names import POSITION, TARGET, TIMESTAMP
from m2trec_merlin.columns import are_among, as_category, as_text, categories_of, count_texts, of_one_type
from m2trec_merlin.config import Config
from m2trec_merlin.derived import DERIVED, is_derived
from m2trec_merlin.readers.problems import ProblemLog
from m2trec_merlin.spelling import doubts_of_unnamed

#: Number of values of an attribute that are checked for doubtful ones: in total, and per chunk.
_SAMPLED, _SAMPLED_AT_ONCE = 100_000, 20_000


class EventColumns:
    """The columns of events that a configuration needs beyond the canonical ones.

    Args:
        config: the run's configuration.

    Attributes:
        attributes: the event attributes, each reading a canonical column of its own name.
        derived: functions that compute the derived columns, by attribute.
    """

    def __init__(self, config: Config) -> None:
        self.attributes = canonical_attributes(config.event_attributes)
        self.derived = {
            a.name: DERIVED[a.source_column] for a in config.event_attributes if is_derived(a.source_column)
        }
        self._targets = config.data.targets
        wanted = self._targets.values if self._targets else []
        self._target_values = categories_of(wanted)
        #: Numbers of events by the text in the column of targets, as it is written.
        self._written: Counter[str] = Counter()
        self._sampled: dict[str, list[pd.Series]] = {
            a.name: [] for a in self.attributes if a.name not in self.derived
        }
        self._seen = False

    def check(self, chunk: pd.DataFrame, log: ProblemLog) -> None:
        """Log raw values that do not suit the kind of their attribute, and count the values of targets."""
        for attribute in self.attributes:
            if attribute.name not in chunk:
                continue
            values = chunk[attribute.name][chunk[attribute.name].notna()]
            if attribute.name in self._sampled and len(values):
                self._sample(self._sampled[attribute.name], values)
            for fault in attribute.column_faults(values):
                what = f"{fault.what} (event attribute '{attribute.name}')"
                log.add_rows(attribute.name, what, fault.values, fault.wrong, fault.hint)
        if self._targets and TARGET in chunk:
            self._seen = True
            self._written.update(count_texts(as_text(chunk[TARGET])))

    def finish(self, log: ProblemLog, has_times: bool) -> None:
        """Log problems of the table as a whole, after all chunks have been checked.

        Args:
            log: the log of problems.
            has_times: whether events have times.
        """
        if not has_times and self.derived:
            log.add(
                f"event attributes {', '.join(self.derived)} are made of the times of events; there are "
                "none: let data.columns.order name a column of dates (or of Unix time, with "
                "data.options.time_format: s)"
            )
        if self._targets is None or not self._seen:
            return
        wanted, met = self._target_values.to_pylist(), self._met()
        if absent := [value for value in wanted if not met[value]]:
            there = ", ".join(value for value, _ in met.most_common(5))
            log.add(
                f"column '{self._targets.column}' never holds {', '.join(absent)}, which data.targets.values "
                + (f"names; most frequent are {there}" if there else "names: it holds no value at all")
            )

    def notices(self) -> list[str]:
        """Return warnings about values that are probably not intended, after all chunks have been checked."""
        found = [*self._doubts_of_targets()]
        for attribute in self.attributes:
            parts = self._sampled.get(attribute.name)
            if parts == []:
                found.append(f"event attribute '{attribute.name}' has no value for any event")
            elif parts:
                values = pd.concat(parts, ignore_index=True)
                seen = "" if len(values) < _SAMPLED else f", in {len(values):,} events"
                doubts = attribute.doubts(values, "event")
                found += [f"event attribute '{attribute.name}'{seen}: {doubt}" for doubt in doubts]
        return found

    def _doubts_of_targets(self) -> Iterator[str]:
        """Warn about values that are no targets by capitals alone, and about codes that are as one number."""
        if self._targets is None:
            return
        column, wanted = self._targets.column, self._target_values.to_pylist()
        yield from doubts_of_unnamed(column, self._met(), wanted, "data.targets.values", "no target")
        # A configuration writes 4.5 for the 4.50 of a table; but a 1.10 in it is meant to be no 1.1.
        written = [*self._written, *(value for value in self._targets.values if value not in wanted)]
        are_targets = are_among(categories_of(written), self._target_values)
        for doubt in doubts_of_numbers(pa.array(written, pa.string()).filter(pa.array(are_targets))):
            yield f"column '{column}', which data.targets reads: {doubt}"

    def _met(self) -> Counter[str]:
        """Return the numbers of events by the value in the column of targets."""
        met: Counter[str] = Counter()
        values = categories_of(list(self._written)).to_pylist()
        for value, count in zip(values, self._written.values(), strict=True):
            if value is not None:
                met[value] += count
        return met

    def _sample(self, parts: list[pd.Series], values: pd.Series) -> None:
        room = _SAMPLED - sum(map(len, parts))
        if room > 0:
            parts.append(values.iloc[: min(room, _SAMPLED_AT_ONCE)])

    def canonical(self, raw: pd.DataFrame) -> dict[str, pd.Series]:
        """Return the columns of a valid chunk in their canonical types, except derived columns."""
        columns = self.canonical_attributes(raw)
        if self._targets:
            columns[TARGET] = pd.Series(self.target_mask(raw[TARGET]), index=raw.index)
        return columns

    def canonical_attributes(self, raw: pd.DataFrame) -> dict[str, pd.Series]:
        """Return only the columns of attributes; see `canonical`."""
        read = [a for a in self.attributes if a.name not in self.derived]
        return {a.name: of_one_type(a.canonical(raw[a.name])) for a in read}

    def target_mask(self, values: pd.Series) -> np.ndarray:
        """Tell from the values of the target column which events may be targets, bool [E]."""
        return are_among(as_category(values), self._target_values)

    def derive(self, events: pd.DataFrame, known: np.ndarray | None = None) -> dict[str, pd.Series]:
        """Return the derived columns of canonical events of whole sessions, in order.

        Args:
            events: the events with their times and positions.
            known: mask of the events with known items, bool [E]; None for all. Other events are ignored, as
                if they were not in the session, and their values are missing.
        """
        first = events[POSITION].to_numpy() == 0
        if known is None or known.all():
            return {name: derive(events[TIMESTAMP], first) for name, derive in self.derived.items()}
        session = np.cumsum(first)[known]
        first, times = np.diff(session, prepend=0) > 0, events[TIMESTAMP][known]
        return {name: derive(times, first).reindex(events.index) for name, derive in self.derived.items()}


def canonical_attributes(attributes: Sequence[Attribute]) -> list[Attribute]:
    """Return event attributes that read canonical interactions, where columns are named after attributes."""
    return [attribute.model_copy(update={"column": None}) for attribute in attributes]
