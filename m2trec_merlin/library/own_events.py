"""Times, attributes and targets of events in a frame of your own, read as a run read its interactions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from m2trec_merlin.column_names import POSITION, TARGET, TIMESTAMP
from m2trec_merlin.columns import to_arrow
from m2trec_merlin.data.event_columns import EventColumns
from m2trec_merlin.encoded import EncodedColumn, EncodedItems
from m2trec_merlin.errors import DataError, name_first
from m2trec_merlin.readers.times import ISO_8601, parse_instants, to_microseconds
from m2trec_merlin.runs import Run
from m2trec_merlin.runs.folder import TIMES
from m2trec_merlin.sessions import event_fields, session_files
from m2trec_merlin.shares import counted

#: Function that takes a message on what is ignored.
Tell = Callable[[str], None]


def read_times(events: pd.DataFrame, run: Run) -> pd.Series | None:
    """Return the times of events, as naive UTC in nanoseconds; None if the frame has no times.

    Times are in the format of the run's interactions or in ISO 8601; numbers may be plain positions.

    Raises:
        DataError: a text is not a time in either format.
    """
    if TIMESTAMP not in events:
        return None
    values = events[TIMESTAMP]
    own = ((run.step("data").found() or {}).get(TIMES) or {}).get("format", ISO_8601)
    are_numbers = pd.api.types.is_numeric_dtype(values)
    # Positions such as 2000 would be read as years of ISO 8601.
    formats = [each for each in dict.fromkeys([own, ISO_8601]) if each != ISO_8601 or not are_numbers]
    for time_format in formats:
        instants = parse_instants(values, time_format)
        if (instants.notna() | values.isna()).all():
            return instants
    if are_numbers:
        return None
    where = lines_of(instants.isna() & values.notna())
    raise DataError(
        "sessions",
        [
            f"{TIMESTAMP} is not a time ({' or '.join(formats)}) in {where}: mend it, or leave it out if the "
            "lines are in order"
        ],
    )


def lines_of(wrong: pd.Series) -> str:
    """Name the lines of a frame where `wrong` holds, by their labels: the first ones, and how many more."""
    labels = wrong.index[wrong.to_numpy(bool)]
    return f"{'line' if len(labels) == 1 else 'lines'} {name_first(labels.tolist())}"


def encode_events(
    events: pd.DataFrame,
    times: pd.Series | None,
    positions: np.ndarray,
    known: np.ndarray,
    run: Run,
    tell: Tell,
) -> EncodedItems:
    """Encode attributes of events; all values of an absent column count as missing.

    Args:
        events: E events of whole sessions, in order, with the column names of the run's source.
        times: times of the events, see `read_times`.
        positions: int64 [E], positions of the events in their sessions.
        known: bool [E], which events are of items that the catalogue has.
        run: a trained run.
        tell: function that takes messages on absent columns and missing values.
    """
    config = run.config
    if not config.event_attributes:
        return {}
    from m2trec_merlin.workflows.items import encode_items
    from m2trec_merlin.workflows.sessions import events_workflow
    from m2trec_merlin.workflows.storage import load_workflow

    columns = EventColumns(config)
    read = {name: own for name, own in config.event_columns.items() if name != TARGET}
    raw = pd.DataFrame(
        {name: _column(events, own, tell) for name, own in read.items()}, pd.RangeIndex(len(events))
    )
    for attribute in columns.attributes:
        if attribute.name in raw:
            values = raw[attribute.name]
            for fault in attribute.faults(values[values.notna()]):
                _tell_missing(read[attribute.name], fault.what, fault.wrong, tell)
    frame = pd.DataFrame(columns.canonical_attributes(raw), raw.index)
    if columns.derived:
        if times is None:
            there = _column(events, TIMESTAMP, tell)
            _tell_missing(TIMESTAMP, "holds no times", there.notna().to_numpy(), tell)
            times = pd.Series(np.full(len(events), np.datetime64("NaT", "ns")))
        moments = to_microseconds(times).reset_index(drop=True)
        timed = pd.DataFrame({TIMESTAMP: moments, POSITION: positions})
        for name, values in columns.derive(timed, known).items():
            frame[name] = values
    encoded = encode_items(load_workflow(run.events_workflow, events_workflow), frame)
    fields = event_fields(session_files(run.sessions("train")))
    return {f.name: EncodedColumn.from_arrow(f, to_arrow(encoded[f.name])) for f in fields}


def targets_of(events: pd.DataFrame, run: Run) -> np.ndarray | None:
    """Return which events may be targets, bool [E]; None for all of them.

    Raises:
        DataError: the column that `data.targets` names is missing.
    """
    targets = run.config.data.targets
    if targets is None:
        return None
    if targets.column not in events:
        raise DataError("sessions", [f"no column {targets.column}, which data.targets of the run names"])
    return EventColumns(run.config).target_mask(events[targets.column])


def _tell_missing(column: str, what: str, wrong: np.ndarray, tell: Tell) -> None:
    if count := int(wrong.sum()):
        tell(f"column '{column}' {what} in {counted(count, 'line')}: these count as missing")


def _column(events: pd.DataFrame, name: str, tell: Tell) -> pd.Series:
    if name in events:
        return events[name].reset_index(drop=True)
    tell(f"the sessions have no column '{name}': what is made of it counts as missing")
    return pd.Series([None] * len(events), dtype=object)
