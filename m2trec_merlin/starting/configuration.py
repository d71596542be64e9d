"""Compose the text of a configuration, with the reason for each choice beside it."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from m2trec_merlin.attributes.base import RESERVED_NAMES
from m2trec_merlin.config.files import write_value
from m2trec_merlin.errors import name_first
from m2trec_merlin.readers.files.dialect import Dialect
from m2trec_merlin.readers.problems import looks_like_a_value
from m2trec_merlin.shares import percent
from m2trec_merlin.starting.choice import ChosenKind
from m2trec_merlin.starting.events import taken_back, told_apart
from m2trec_merlin.starting.item_ids import ItemIds
from m2trec_merlin.starting.look import Column, Look
from m2trec_merlin.starting.order import Order
from m2trec_merlin.starting.sessions import Grouping
from m2trec_merlin.starting.times import Times

#: The most letters of a column's name in an attribute's name, before a suffix that makes it unique.
_LONGEST_NAME = 80
#: A value with a digit, and the share of such values above which words are no values of a column.
_WITH_DIGIT, _MOST = r"(?s).*\d.*", 0.9


@dataclass(frozen=True)
class Examination:
    """The findings about the tables.

    Attributes:
        events: the interactions.
        items: the items; from the same file if the interactions describe the items.
        ids: the columns of ids.
        unknown: share of all events whose item has no row, or is missing.
        split: name of the column of splits, if there is one.
        grouping: how events become sessions.
        order: how events are ordered.
        choices: the choice for each column of the items, and for that of the ids if these are names.
        tasks: the categories to predict, a subset of the choices.
        listed: the dates since when items are listed; None if unknown.
        unsure: further doubts for a person to check.
    """

    events: Look
    items: Look
    ids: ItemIds
    unknown: float
    split: str | None
    grouping: Grouping
    order: Order
    choices: list[ChosenKind]
    tasks: list[ChosenKind]
    listed: Times | None = None
    unsure: list[str] = field(default_factory=list)

    @property
    def is_one_table(self) -> bool:
        """Whether the interactions also describe the items."""
        return self.events.path == self.items.path

    def looked_at(self) -> list[str]:
        """Return lines about the rows looked at."""
        if not self.is_one_table:
            return [self.events.describe(), self.items.describe()]
        described = ", ".join(repr(name) for name in self.items.columns if name != self.ids.described)
        items = f"{self.items.rows:,} items by '{self.ids.described}' in these rows"
        if described:
            items += f"; the most usual of the first rows of each has {described}"
        return [self.events.describe(), items]

    def doubts(self) -> list[str]:
        """Return doubts for a person to check."""
        lines = [*self.unsure, *taken_back(self._unused())]
        for look in (self.events,) if self.is_one_table else (self.events, self.items):
            if _may_begin_with_a_row(look):
                names = name_first([*look.columns], repr)
                lines.append(
                    f"the first line of {look.path.name} names the columns, but looks like data: {names}"
                )
        if self.unknown:
            lines.append(
                f"{percent(self.unknown)} of events name no item of {self.items.path.name}, and are left out"
            )
        if self.grouping.unsure:
            lines.append(f"sessions by '{self.grouping.column}': {self.grouping.reason}")
        if self.split is not None and self.grouping.split is None:
            lines.append(
                f"'{self.split}' is not used: a session is in one split, or its last event is held out "
                "(data.split kind leave_one_out), and this column says neither"
            )
        if self.order.unsure:
            lines.append(f"order: {self.order.reason}")
        times = self.order.times
        if times is not None and times.other_format:
            example = self.events.columns[times.column].texts.iloc[0]
            lines.append(
                f"times such as {example!r} are read as {times.time_format}, but could be "
                f"{times.other_format}: see that days and months are right"
            )
        lines += [
            f"'{choice.column.name}' as {choice.kind}: {choice.unsure}"
            for choice in self.choices
            if choice.unsure
        ]
        if not self.tasks:
            lines.append("no column is clearly a category: model.next_attributes predicts none")
        return lines

    def left_out(self) -> list[str]:
        """Return unused columns with the reasons."""
        unused = [column.name for column in self._unused()]
        lines = [
            f"{self.items.path.name}, '{choice.column.name}': {choice.reason}"
            for choice in self.choices
            if choice.kind is None and (self.listed is None or choice.column.name != self.listed.column)
        ]
        for look in (self.items, self.events):
            lines += [f"{look.path.name}, '{name}': {why}" for name, why in look.unreadable.items()]
        log = self.events.path.name
        if unused:
            lines.append(f"{log}, {', '.join(map(repr, unused))}: not read (event_attributes can)")
        return [*lines, *(f"{log}, {line}" for line in told_apart(self._unused()))]

    def _unused(self) -> list[Column]:
        """Return the columns of the interactions that are not used."""
        used = {self.ids.clicked, self.grouping.column, self.order.column, self.split}
        used.update(self.items.columns if self.is_one_table else ())
        return [column for name, column in self.events.columns.items() if name not in used]


def compose(found: Examination, output: Path) -> str:
    """Return the text of a configuration file.

    Args:
        found: the findings about the tables.
        output: path of the file; paths of tables are relative to its folder.
    """
    lines = [
        "# Written by `m2trec init` as a first draft. Read it, change it, and run",
        f"#   m2trec demo -c {shlex.quote(str(output))}",
        "#",
        *_block("Looked at", found.looked_at()),
        *_block("Unsure", found.doubts()),
        *_block("Left out", found.left_out()),
        f"name: {write_value(run_name(output))}",
        "data:",
        "  source: tables",
        f"  interactions: {write_value(_relative(found.events.path, output))}",
        *([] if found.is_one_table else [f"  items: {write_value(_relative(found.items.path, output))}"]),
        *_columns(found),
        *_sessions(found),
        *_listed(found),
        *_split(found),
        *_options(found),
        "attributes:",
        *_attributes(found),
    ]
    if found.tasks:
        names = attribute_names(found.choices)
        lines += ["model:", "  next_attributes:  # of the next item, predicted beside it: coarse to fine"]
        for task in found.tasks:
            entry = {"attribute": names[task.column.name], "weight": 0.2}
            lines.append(f"    - {write_value(entry)}{_comment(f'{task.n_values:,} values')}")
    if (title := _title_column(found.choices)) is not None:
        lines.append(f"serving: {write_value({'title_column': title})}  # what people know an item by")
    lines.append(f"evaluation: {_evaluation(found)}")
    return "\n".join(lines) + "\n"


def run_name(output: Path) -> str:
    """Return the name of a file as a valid name of a run."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", output.stem).strip("_.-") or "shop"


def attribute_names(choices: Iterable[ChosenKind]) -> dict[str, str]:
    """Return a valid, unique name of an attribute for each column that is used."""
    names: dict[str, str] = {}
    for column in (choice.column.name for choice in choices if choice.kind is not None):
        plain = re.sub(r"_{2,}", "_", re.sub(r"[^A-Za-z0-9_]+", "_", column[:_LONGEST_NAME])).strip("_")
        plain = plain if re.match(r"[A-Za-z]", plain) else f"column_{plain}".strip("_")
        plain = f"{plain}_of_item" if plain in RESERVED_NAMES else plain
        taken, number = set(names.values()), 2
        name = plain
        while name in taken:
            name, number = f"{plain}_{number}", number + 1
        names[column] = name
    return names


def _columns(found: Examination) -> Iterator[str]:
    ids = found.ids
    yield "  columns:"
    if found.grouping.gap is None:
        yield f"    session_id: {write_value(found.grouping.column)}{_comment(found.grouping.reason)}"
    who = "that name an item find it" if found.events.columns[ids.clicked].gaps else "find their item"
    meeting = f"{percent(ids.known)} of the events looked at {who}"
    yield f"    item_id: {write_value(ids.clicked)}{_comment(meeting)}"
    if ids.described != ids.clicked:
        yield f"    items_item_id: {write_value(ids.described)}{_comment('what the items table calls it')}"
    if found.order.column is not None:
        yield f"    order: {write_value(found.order.column)}{_comment(found.order.reason)}"
    else:
        yield f"    # order: {found.order.reason}"
    if found.split is not None and found.grouping.split == "column":
        yield f"    split: {write_value(found.split)}"


def _sessions(found: Examination) -> Iterator[str]:
    if found.grouping.gap is not None:
        entry = {"user": found.grouping.column, "gap": found.grouping.gap}
        yield f"  sessions: {write_value(entry)}{_comment(found.grouping.reason)}"


def _listed(found: Examination) -> Iterator[str]:
    if (dates := found.listed) is not None:
        written = {} if dates.time_format is None else {"time_format": dates.time_format}
        why = "since when items are listed: what came late is no dead stock because it never sold"
        yield f"  listed: {write_value({'column': dates.column, **written})}{_comment(why)}"


def _split(found: Examination) -> Iterator[str]:
    if found.grouping.split == "leave_one_out":
        said = _comment(f"as '{found.split}' of the interactions says")
        yield f"  split: {write_value({'kind': 'leave_one_out'})}{said}"
    elif found.split is not None and found.grouping.split == "column":
        named = set(found.events.columns[found.split].counts.index)
        share = {} if "valid" in named else {"valid_share_of_train": 0.1}
        yield f"  split: {write_value({'kind': 'column', **share})}{_comment('as the interactions say')}"
    elif found.order.times is not None and found.order.times.can_split:
        yield "  split: {kind: time, test_share: 0.1, valid_share: 0.1}  # the last sessions are held out"
    else:
        why = "order names no" if found.order.times is None else "too few different"
        yield f"  split: {{kind: hash, test_share: 0.1, valid_share: 0.1}}  # {why} times to split by"


def _evaluation(found: Examination) -> str:
    if found.grouping.split == "leave_one_out":
        return "{prefixes: last, max_prefixes: 20000}  # a sample of the test sessions"
    return "{max_prefixes: 20000}  # a sample of the test sessions; leave it out for all"


def _options(found: Examination) -> Iterator[str]:
    dialect, other = found.events.file.dialect, found.items.file.dialect
    options = [f"    {line}" for line in _dialect(dialect)]
    if other != dialect:
        lines = [f"      {line}" for line in _dialect(other)]
        options += [f"    items:{'' if lines else ' {}'}  # are written otherwise", *lines]
    if found.order.times is not None and found.order.times.time_format is not None:
        example = found.events.columns[found.order.times.column].texts.iloc[0]
        options.append(
            f"    time_format: {write_value(found.order.times.time_format)}{_comment(f'as in {example!r}')}"
        )
    if found.unknown:
        share = _comment(f"{percent(found.unknown)} of events name no known item")
        options.append(f"    drop_unknown_items: true{share}")
    if found.order.shuffle:
        options.append("    shuffle: true  # what orders them says nothing of the order of events")
    if options:
        yield "  options:"
        yield from options


def _dialect(dialect: Dialect) -> Iterator[str]:
    usual = Dialect()
    for name in ("separator", "encoding", "quoting"):
        if (value := getattr(dialect, name)) != getattr(usual, name):
            yield f"{name}: {write_value(value)}"


def _attributes(found: Examination) -> Iterator[str]:
    names = attribute_names(found.choices)
    for choice in sorted(found.choices, key=lambda choice: _place(choice, found.ids)):
        if choice.kind is None:
            continue
        column, name = choice.column.name, names[choice.column.name]
        source = {} if column == name else {"column": column}
        entry = {"name": name, "kind": choice.kind, **source, **choice.settings}
        unsure = f"; unsure: {choice.unsure}" if choice.unsure else ""
        yield f"  - {write_value(entry)}{_comment(choice.reason + unsure)}"


def _place(choice: ChosenKind, ids: ItemIds) -> tuple[bool, bool, float]:
    """Return what sorts attributes: the first text serves as title, so one that hardly an item lacks."""
    gaps = round(choice.column.gaps, 2) if choice.is_title else 0
    return choice.column.name != ids.described, not choice.is_title, gaps


def _title_column(choices: list[ChosenKind]) -> str | None:
    """Return the column that names the items, if no attribute of kind text does."""
    if any(choice.is_title for choice in choices):
        return None
    return next((choice.column.name for choice in choices if choice.names_items), None)


def _may_begin_with_a_row(look: Look) -> bool:
    """Tell whether the names of columns may be values: a number above numbers, and no word above digits."""
    columns = look.columns.items()
    return (
        not look.file.is_typed
        and any(looks_like_a_value(name) and column.numbers is not None for name, column in columns)
        and all(re.search(r"\d", name) or column.share(_WITH_DIGIT) < _MOST for name, column in columns)
    )


def _block(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"# {title}:"
        yield from (f"#  {_comment(f'- {line}').removeprefix('  # ')}" for line in lines)
        yield "#"


def _comment(text: str) -> str:
    """Return a comment after a setting: one line of printable characters."""
    return "  # " + " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _relative(path: Path, output: Path) -> str:
    # `..` after a link to a folder does not lead to the link's own folder, so links are resolved.
    relative = os.path.relpath(path.parent.resolve() / path.name, output.parent.resolve())
    if relative.startswith("~"):
        return f"./{relative}"  # a file of that name, and no home folder
    return relative if relative.count("..") < 4 else str(path.resolve())
