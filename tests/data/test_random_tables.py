"""Random shops in random dialects: read as they were meant, or refused; damaged ones never a traceback."""

from __future__ import annotations

import csv
import gzip
import io
import random
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from m2trec_merlin.config import Config
from m2trec_merlin.data.tables import order_events
from m2trec_merlin.data.validation import validate
from m2trec_merlin.errors import DataError

#: The same ones each time: what a new search finds belongs to whoever searches, not to the next commit.
MANY = settings(max_examples=150, derandomize=True)

#: Ids as shops have them; each kind is written as text in CSV and by its type in Parquet.
IDS: dict[str, Callable[[int], Any]] = {
    "numbers": lambda number: 1000 + number,
    "beyond doubles": lambda number: 2**53 + 1 + number,
    "leading zeros": lambda number: f"{number:05d}",
    "codes": lambda number: f"A-{number}/x",
    "words": lambda number: f"Größe {number} «é»",
    "like floats": lambda number: f"{number}.0",
    "negative": lambda number: -1 - number,
}
#: Places of events within a session, in rising order; the second says whether they are times.
ORDERS: dict[str, tuple[Callable[[int], Any], bool]] = {
    "positions": (lambda place: place, False),
    "beyond doubles": (lambda place: 2**53 + place, False),
    "decimals": (lambda place: place / 4, False),
    "dates": (lambda place: f"2024-03-{1 + place % 28:02d}", True),
    "times": (lambda place: f"2024-03-01T{place // 60:02d}:{place % 60:02d}:30Z", True),
    "offsets": (lambda place: f"2024-03-01 {5 + place // 60:02d}:{place % 60:02d}:30+05:00", True),
}
TEXT = st.text(st.sampled_from("abcXYZ 0189äéßœ€,;|\t\"'\n\\()[]{}#%-."), min_size=1, max_size=12).map(
    lambda text: f"w{text}w"
)


@dataclass(frozen=True)
class World:
    """A shop before it is written down."""

    sessions: dict[Any, list[Any]]
    titles: dict[Any, str]
    prices: dict[Any, float | None]
    events: list[tuple[Any, Any, Any]] = field(repr=False)
    ordered_by: str | None


@st.composite
def worlds(draw: st.DrawFn) -> World:
    item_id, session_id = (IDS[draw(st.sampled_from(sorted(IDS)))] for _ in range(2))
    n_items = draw(st.integers(2, 6))
    items = [item_id(number) for number in range(n_items)]
    lengths = draw(st.lists(st.integers(2, 5), min_size=1, max_size=5))
    ordered_by = draw(st.sampled_from([None, *ORDERS]))
    place = ORDERS[ordered_by][0] if ordered_by else (lambda number: number)
    sessions, events = {}, []
    for number, length in enumerate(lengths):
        chosen = draw(st.lists(st.sampled_from(items), min_size=length, max_size=length))
        first = draw(st.integers(0, 20))
        sessions[session_id(number)] = chosen
        events += [(session_id(number), item, place(first + at)) for at, item in enumerate(chosen)]
    if ordered_by:
        draw(st.randoms(use_true_random=False)).shuffle(events)
    titles = dict(zip(items, draw(st.lists(TEXT, min_size=n_items, max_size=n_items)), strict=True))
    price = st.none() | st.sampled_from([0.0, 1.0, 2.5, 1e-3, 123456.75, 2e9])
    prices = dict(zip(items, draw(st.lists(price, min_size=n_items, max_size=n_items)), strict=True))
    return World(sessions, titles, prices, events, ordered_by)


@dataclass(frozen=True)
class Dialect:
    """How a shop writes its tables down."""

    separator: str = ","
    quote_all: bool = False
    line_end: str = "\n"
    encoding: str = "utf-8"
    packed: bool = False
    spare_columns: bool = False
    parts: int = 1


DIALECTS = st.builds(
    Dialect,
    separator=st.sampled_from(",;|\t"),
    quote_all=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]),
    packed=st.booleans(),
    spare_columns=st.booleans(),
    parts=st.integers(1, 2),
)


def tables_of(world: World) -> tuple[pd.DataFrame, pd.DataFrame]:
    events = pd.DataFrame(world.events, columns=["visit", "sku", "at"], dtype=object)
    items = pd.DataFrame({"sku": list(world.titles), "title": list(world.titles.values())}, dtype=object)
    return events, items.assign(price=list(world.prices.values()))


def write_csv(frame: pd.DataFrame, folder: Path, dialect: Dialect) -> None:
    folder.mkdir()
    if dialect.spare_columns:
        # As spreadsheets leave them; twice the same name, and nobody reads either.
        frame = pd.concat([frame, pd.DataFrame({"": None, " ": None}, frame.index)], axis=1)
        frame.columns = [*frame.columns[:-2], "", ""]
    for part in range(dialect.parts):
        rows = frame.iloc[part :: dialect.parts] if dialect.parts == 1 else halves(frame)[part]
        text = io.StringIO()
        quoting = csv.QUOTE_ALL if dialect.quote_all else csv.QUOTE_MINIMAL
        writer = csv.writer(
            text, delimiter=dialect.separator, quoting=quoting, lineterminator=dialect.line_end
        )
        writer.writerow(frame.columns)
        writer.writerows(
            ["" if value is None or value != value else value for value in row] for row in rows.values
        )
        content = text.getvalue().encode(dialect.encoding)
        name = f"part-{part}.csv" + (".gz" if dialect.packed else "")
        (folder / name).write_bytes(gzip.compress(content) if dialect.packed else content)


@contextmanager
def written(world: World, dialect: Dialect) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        for frame, name in zip(tables_of(world), ("clicks", "items"), strict=True):
            write_csv(frame, Path(folder, name), dialect)
        yield Path(folder)


def halves(frame: pd.DataFrame) -> list[pd.DataFrame]:
    middle = len(frame) // 2
    return [frame.iloc[:middle], frame.iloc[middle:]]


def config_of(folder: Path, world: World, dialect: Dialect, suffix: str = "") -> Config:
    options: dict[str, Any] = {}
    if not suffix:
        options["separator"] = dialect.separator
        if dialect.encoding == "cp1252":
            options["encoding"] = dialect.encoding
    columns = {"session_id": "visit", "item_id": "sku"}
    if world.ordered_by:
        columns["order"] = "at"
    return Config.model_validate(
        {
            "name": "random",
            "data": {
                "source": "tables",
                "interactions": folder / f"clicks{suffix}",
                "items": folder / f"items{suffix}",
                "columns": columns,
                "options": options,
            },
            "attributes": [{"name": "title", "kind": "text"}, {"name": "price", "kind": "numeric"}],
            "model": {"next_attributes": []},
        }
    )


def read(config: Config) -> tuple[dict[str, list[str]], dict[str, str], dict[str, float]]:
    """Sessions, titles and known prices, ids as text."""
    source = config.data.open(0)
    data = validate(source, config)
    chunks = [order_events(raw, data.known_items, source.time_format) for raw in source.interactions()]
    events = pd.concat(chunks).astype({"session_id": str, "item_id": str})
    sessions = events.groupby("session_id", sort=False)["item_id"].agg(list).to_dict()
    items = data.items.assign(item_id=data.items["item_id"].astype(str)).set_index("item_id")
    return sessions, items["title"].to_dict(), items["price"].dropna().to_dict()


def meant(world: World) -> tuple[dict[str, list[str]], dict[str, str], dict[str, float]]:
    sessions = {str(key): [str(item) for item in items] for key, items in world.sessions.items()}
    prices = {str(key): price for key, price in world.prices.items() if price is not None}
    return sessions, {str(key): title for key, title in world.titles.items()}, prices


def same_texts(found: dict[str, str], expected: dict[str, str]) -> bool:
    # Line ends within a field are the file's business.
    return {k: v.replace("\r\n", "\n") for k, v in found.items()} == expected


@MANY
@given(worlds(), DIALECTS)
def test_csv_files_are_read_as_they_were_meant(world: World, dialect: Dialect) -> None:
    with written(world, dialect) as folder:
        sessions, titles, prices = read(config_of(folder, world, dialect))
    # Whole numbers that a program wrote as decimals are whole: any session, and the items if all of them are.
    decimals = all(re.fullmatch(r"(0|-?[1-9]\d{0,17})\.0", str(key)) for key in world.titles)

    def item(key: str) -> str:
        return key.removesuffix(".0") if decimals else key

    expected, named, priced = meant(world)
    assert sessions == {
        re.sub(r"^(-?\d+)\.0$", r"\1", key): list(map(item, items)) for key, items in expected.items()
    }
    assert prices == {item(key): price for key, price in priced.items()}
    assert same_texts(titles, {item(key): title for key, title in named.items()})


@MANY
@given(worlds(), st.booleans(), st.booleans(), st.booleans())
def test_parquet_files_are_read_as_they_were_meant(
    world: World, indexed: bool, dictionaries: bool, as_bytes: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for frame, stem in zip(tables_of(world), ("clicks", "items"), strict=True):
            frame = frame.infer_objects()
            if as_bytes:
                frame = frame.map(lambda value: value.encode() if isinstance(value, str) else value)
            if dictionaries:
                frame = frame.astype({"sku": "category"})
            frame = frame.set_index("sku") if indexed else frame
            frame.to_parquet(folder / f"{stem}.parquet")
        found = read(config_of(folder, world, Dialect(), ".parquet"))
    assert found == meant(world)


def cut(content: bytes, at: random.Random) -> bytes:
    return content[: at.randrange(len(content))]


def replaced(content: bytes, at: random.Random) -> bytes:
    where = at.randrange(len(content))
    return content[:where] + bytes([at.randrange(256)]) + content[where + 1 :]


def inserted(content: bytes, at: random.Random) -> bytes:
    where = at.randrange(len(content))
    return content[:where] + at.choice([b'"', b"\0", b"\n", b",", b";", b"\xff", b"''"]) + content[where:]


def doubled(content: bytes, at: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    where = at.randrange(len(lines))
    return b"".join([*lines[:where], lines[where], *lines[where:]])


DAMAGES = [cut, replaced, inserted, doubled]


@MANY
@given(
    worlds(), DIALECTS, st.sampled_from(DAMAGES), st.integers(0, 2**32), st.sampled_from(["clicks", "items"])
)
def test_damaged_csv_files_are_refused_or_read(
    world: World, dialect: Dialect, damage: Callable[..., bytes], seed: int, table: str
) -> None:
    with written(world, dialect) as folder:
        victim = sorted((folder / table).iterdir())[0]
        victim.write_bytes(damage(victim.read_bytes(), random.Random(seed)))
        config = config_of(folder, world, dialect)
        try:
            sessions, titles, _ = read(config)
        except DataError as error:
            assert error.problems
            return
    assert all(len(items) for items in sessions.values())
    assert {item for items in sessions.values() for item in items} <= set(titles)


@MANY
@given(worlds(), st.sampled_from(DAMAGES), st.integers(0, 2**32), st.sampled_from(["clicks", "items"]))
def test_damaged_parquet_files_are_refused_or_read(
    world: World, damage: Callable[..., bytes], seed: int, table: str
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for frame, stem in zip(tables_of(world), ("clicks", "items"), strict=True):
            pq.write_table(pa.Table.from_pandas(frame.infer_objects()), folder / f"{stem}.parquet")
        victim = folder / f"{table}.parquet"
        victim.write_bytes(damage(victim.read_bytes(), random.Random(seed)))
        config = config_of(folder, world, Dialect(), ".parquet")
        try:
            read(config)
        except DataError as error:
            assert error.problems
