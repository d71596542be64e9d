"""The verb `init`: look at the tables, write a configuration, and try the data step with it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from m2trec_merlin.config import Config, load_config
from m2trec_merlin.data import prepare_data, summarise_data
from m2trec_merlin.errors import ArtifactError, CommandLineError, ConfigError, DataError, reason_of
from m2trec_merlin.missing import explain_missing
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.readers.canonical import KnownItems, normalise_ids
from m2trec_merlin.starting.attributes import choose_attributes
from m2trec_merlin.starting.configuration import Examination, compose
from m2trec_merlin.starting.dialect import writing_of
from m2trec_merlin.starting.event_times import find_times
from m2trec_merlin.starting.hindsight import counts_of_events
from m2trec_merlin.starting.item_ids import MET, ItemIds, find_item_ids, ids_beside, without_header
from m2trec_merlin.starting.items_of_events import finer_than_items, look_at_items
from m2trec_merlin.starting.levels import choose_tasks
from m2trec_merlin.starting.listing import find_listing
from m2trec_merlin.starting.look import Look, look_at
from m2trec_merlin.starting.names import speaks_of
from m2trec_merlin.starting.order import find_order
from m2trec_merlin.starting.sessions import find_grouping, find_split, nearly_splits
from m2trec_merlin.starting.several import rows_of_several
from m2trec_merlin.starting.sorted_sessions import shuffled_if_sorted
from m2trec_merlin.starting.strangers import explain_strangers
from m2trec_merlin.starting.times import Times, apart_from, nearly_times, unread_times

#: The most rows kept of a table, and the most events for which the data step is tried.
_KEPT_ROWS = 200_000
_TRIED_EVENTS = 3_000_000

T = TypeVar("T")


@dataclass(frozen=True)
class Started:
    """The result of `init`.

    Attributes:
        found: the findings about the tables.
        config: the configuration, read back from the file.
        tried: summary of the data step; None if the tables are too large to try.
    """

    found: Examination
    config: Config
    tried: str | None


def start(
    events: Path, items: Path | None, output: Path, force: bool = False, progress: Progress = SILENT
) -> Started:
    """Write a commented configuration for two tables, or for one.

    Args:
        events: path of the interactions, for source `tables`; exchanged with the items if they are these.
        items: path of the items; None if the interactions describe the items.
        output: the file to write.
        force: whether to replace an existing file.
        progress: receives a line for each thing done.

    Raises:
        ConfigError: the file cannot be written, or both tables are the same.
        DataError: a table cannot be read, the two do not belong together, or the data step refuses them, in
            which case the configuration is written; lists all problems.
    """
    _check_paths(events, items, output, force)
    found = examine(events, items, progress)
    text = compose(found, output)
    config = _write(text, output)
    tried = None
    if found.events.rows <= _TRIED_EVENTS:
        progress.say("trying the data step")
        tried = _try(config, output)
    return Started(found, config, tried)


def tables_of(paths: Sequence[Path]) -> tuple[Path, Path | None]:
    """Return the path of the events, and that of the items if they have a separate table.

    Raises:
        CommandLineError: there are more than two paths.
    """
    if len(paths) > 2:
        named = ", ".join(map(str, paths))
        raise CommandLineError(
            f"two tables are read, events and items, and not {len(paths)}: {named}. Files of one table "
            "belong into a folder, which is named; what a third table says belongs into one of the two "
            "(pandas.merge)"
        )
    return paths[0], paths[1] if len(paths) > 1 else None


def examine(events: Path, items: Path | None, progress: Progress = SILENT) -> Examination:
    """Examine the tables.

    Raises:
        DataError: see `start`.
    """
    if items is None:
        progress.say(f"looking at {events}")
        return _examine(*_one_table(events))
    progress.say(f"looking at {events} and {items}")
    return _examine(*_two_tables(events, items))


def _one_table(path: Path) -> tuple[Look, Look, ItemIds, list[str]]:
    """Return looks at events and items of one table, the columns of ids, and doubts."""
    writing = writing_of(path)
    events = look_at(path, writing.dialect, _KEPT_ROWS)
    try:
        items = look_at_items(events)
    except DataError as error:
        problems = without_header(events, events, None)
        raise DataError(path.name, problems[:1] or error.problems) from None
    name = next(iter(items.columns))
    ids = ItemIds(name, name, 1.0, True)
    if problems := without_header(events, items, ids):
        raise DataError(path.name, problems[:1])
    return events, items, ids, [*writing.unsure]


def _two_tables(events: Path, items: Path) -> tuple[Look, Look, ItemIds, list[str]]:
    """Return the same for two tables, exchanged if the first one holds the items."""
    writings = _both(writing_of, events, items)
    dialects = {events: writings[0].beside(writings[1]), items: writings[1].beside(writings[0])}
    one, other = _both(lambda path: look_at(path, dialects[path], _KEPT_ROWS), events, items)
    unsure = [note for writing in writings for note in writing.unsure]
    ids, exchanged = find_item_ids(one, other), find_item_ids(other, one)
    if exchanged is not None and exchanged.is_sure and (ids is None or not ids.are_unique):
        unsure.append(f"{one.path.name} has a row for each item, so it is taken for the items")
        one, other, ids = other, one, exchanged
    problems = without_header(one, other, ids)
    if ids is None or problems:
        raise DataError(f"{events.name} and {items.name}", problems or [explain_strangers(one, other)])
    if ids.rivals:
        rivals = " and ".join(map(repr, ids.rivals))
        unsure.append(
            f"the ids in '{ids.clicked}' stand in {rivals} of {other.path.name}, too, in other rows than in "
            f"'{ids.described}': data.columns.items_item_id says which are meant"
        )
    return one, other, ids, unsure


def _examine(one: Look, other: Look, ids: ItemIds, unsure: list[str]) -> Examination:
    several = rows_of_several(one, other, ids.described)
    # Rows with an item and a session of their own may also hold the history of the event.
    if several and not (ids.known > MET and any(speaks_of(name, "session", "user") for name in one.columns)):
        raise DataError(str(one.path), [f"{one.path}: {why}" for why in several.values()])
    known = KnownItems(other.ids(ids.described))
    if beside := ids_beside(one, other, ids.clicked, known):
        named = ", ".join(map(repr, beside))
        unsure.append(
            f"in {named} are ids of items, too, and of others than in '{ids.clicked}' of the same row: where "
            "each is an event, write a row for it, with the session beside it"
        )
    split = find_split(one)
    unsure += [] if split else nearly_splits(one)
    # Columns of the items, such as names and release dates, are neither sessions nor times of events.
    of_items = other.columns.keys() if other.file is one.file else {ids.clicked}
    taken = {*of_items, *([split] if split else [])}
    times = find_times(one, taken)
    grouping = find_grouping(one, times, taken | several.keys(), split)
    order = find_order(one, times, grouping, taken)
    read = taken.union([order.column] if order.column else [], (each.column for each in times))
    unsure += _called_times(one, times, read)
    if order.column is None and (histories := [repr(name) for name in several if name != ids.clicked]):
        unsure.append(
            f"nothing orders events, while rows hold several items in {' and '.join(histories)}, beside "
            f"'{ids.clicked}': if these came before, write a row for each in that order, as the file may "
            "have any"
        )
    if order.times and order.is_of_file and (apart := apart_from(order.times, one.columns.values())):
        unsure.append(apart)
    if one.file is other.file and (finer := finer_than_items(one, other, grouping.column, read)):
        others = " or ".join(f"'{column.name}' ({column.distinct:,} values)" for column in finer)
        of = f"'{ids.clicked}' ({one.columns[ids.clicked].distinct:,} values)"
        unsure.append(f"items by {of}, or by {others}: data.columns.item_id says what is recommended")
    choices = choose_attributes(other, ids.described)
    unsure += counts_of_events(choices, other.columns[ids.described], one.columns[ids.clicked])
    if not any(choice.kind for choice in choices):
        reasons = "; ".join(f"'{c.column.name}': {c.reason}" for c in choices) or "there is no other column"
        problem = f"{other.path}: nothing describes the items in '{ids.described}': {reasons}"
        raise DataError(str(other.path), [problem])
    order = shuffled_if_sorted(order, one, other, ids, grouping, choices)
    listed = find_listing(choices, other.columns[ids.described], one.columns[ids.clicked], order.times)
    return Examination(
        one,
        other,
        ids,
        _unknown(one, ids.clicked, known),
        split,
        grouping,
        order,
        choices,
        choose_tasks(choices),
        listed,
        unsure,
    )


def _called_times(events: Look, times: list[Times], read: set[str]) -> Iterator[str]:
    """Yield a doubt for each column that is called like a time, and not read as one."""
    logged = [c for c in events.columns.values() if c.name not in read and speaks_of(c.name, "time")]
    nearly = [*filter(None, map(nearly_times, logged))]
    yield from nearly if nearly or times else unread_times(logged)
    for name, why in events.unreadable.items():
        if speaks_of(name, "time"):
            yield f"'{name}' is called like a time, and cannot be read: {why}"


def _both(ask: Callable[[Path], T], events: Path, items: Path) -> tuple[T, T]:
    """Call a function on both tables, and raise the problems of both together."""
    answers, problems = [], []
    for path in (events, items):
        try:
            answers.append(ask(path))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(f"{events.name} and {items.name}", problems)
    return answers[0], answers[1]


def _check_paths(events: Path, items: Path | None, output: Path, force: bool) -> None:
    named = [events, *([] if items is None else [items])]
    problems = [explain_missing(path) for path in named if not path.exists()]
    if items is not None and events.exists() and items.exists() and events.samefile(items):
        problems.append(f"{events} and {items} are one table: name it once if it says what the items are")
    if output.suffix not in (".yaml", ".yml"):
        problems.append(f"{output}: the name of a configuration must end in .yaml")
    if output.is_dir():
        problems.append(f"{output}: is a folder: name a file in it")
    elif output.exists() and not force:
        problems.append(f"{output} is there already: --force replaces it, --output names another")
    if not output.parent.is_dir():
        problems.append(f"{output.parent}: no such folder")
    if problems:
        raise ConfigError("\n".join(problems))


def _unknown(events: Look, clicked: str, known: KnownItems) -> float:
    """Return the share of all events whose item has no row, or is missing."""
    unknown = sum(
        int((known.positions(normalise_ids(block[clicked])) < 0).sum())
        for block in events.file.blocks([clicked])
    )
    return unknown / events.rows


def _write(text: str, output: Path) -> Config:
    """Write the file after a draft of it was loaded successfully; return the configuration."""
    try:
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".m2trec-init-") as folder:
            # The draft only checks the settings: relative paths would be wrong from its folder.
            draft = Path(folder, output.name)
            draft.write_text(text, encoding="utf-8")
            load_config(draft)
            draft.replace(output)
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written: {reason_of(error)}") from None
    return load_config(output)


def _try(config: Config, output: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="m2trec-init-") as folder:
        try:
            tried = summarise_data(prepare_data(config.model_copy(update={"work_dir": Path(folder)})))
            # The first line names the temporary folder, which will be gone.
            return "\n".join(["Sessions", *tried.splitlines()[1:]])
        except DataError as error:
            where = (
                f"{output} is written, but the data step refuses it: change it, or mend the tables and run "
            )
            where += f"this again with --force: {error.source}"
            raise DataError(where, error.problems) from None
        except ArtifactError as error:
            # The temporary folder is not configured, so the configuration may still be fine.
            reason = reason_of(error.__cause__) if isinstance(error.__cause__, OSError) else str(error)
            return f"the data step could not be tried in {tempfile.gettempdir()} (TMPDIR): {reason}"
