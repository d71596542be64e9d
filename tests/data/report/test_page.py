from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from m2trec_merlin.data import prepare_data
from m2trec_merlin.data.report.plots import plot_bars, plot_curve
from tests.data.report.test_findings import shop
from tests.data.report.test_statistics import TIMED, timed
from tests.worlds.tables import MakeConfig

NASTY = "<script>alert('&')</script>"
VOID = {"meta", "link", "img", "br", "hr"}


class Reader(HTMLParser):
    """Sees to it that tags close as they opened, and gathers text and what is loaded from elsewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.loaded: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        self.loaded += [value or "" for name, value in attributes if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def report(make_config: MakeConfig) -> Path:
    events, items = shop()
    items.loc[20:, "title"] = NASTY
    events.loc[0, "item_id"] = 999
    return prepare_data(
        make_config(events, items, max_session_length=3, options={"drop_unknown_items": True})
    )


def test_the_page_needs_nothing_beside_it_and_says_everything(report: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    read = Reader(page)
    assert read.loaded == [] and "@import" not in page and not re.search(r"https?://|url\(", page)
    numbers = json.loads((report / "report.json").read_text(encoding="utf-8"))
    assert 5 <= len(numbers["findings"]) <= 8
    for told in (*numbers["findings"], *numbers["notices"], NASTY):
        assert told in read.text
    assert len(numbers["notices"]) == 1 and "1 " in numbers["notices"][0]
    assert read.text.index(numbers["findings"][-1]) < read.text.index("Splits")
    for attribute in ("title", "category", "price"):
        assert attribute in read.text
    assert "prefers-color-scheme: dark" in page


@pytest.mark.parametrize("times", [True, False])
def test_every_plot_is_well_formed_and_in_the_colours_of_the_page(
    make_config: MakeConfig, items: pd.DataFrame, events: pd.DataFrame, times: bool
) -> None:
    config = make_config(timed(TIMED), items, "parquet") if times else make_config(events, items)
    page = (prepare_data(config) / "report.html").read_text(encoding="utf-8")
    plots = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(plots) == (4 if times else 3)
    assert ("The interactions have no times." in page) != times
    for plot in plots:
        colours = {e.get("fill") for e in ElementTree.fromstring(plot).iter()} - {None, "none"}
        assert all(str(colour).startswith("var(--") for colour in colours)
        assert "nan" not in plot and "inf" not in plot


def bars(svg: str) -> list[ElementTree.Element]:
    return [e for e in ElementTree.fromstring(svg).iter("rect") if e.find("title") is not None]


def test_bars_stand_on_each_other_and_are_as_high_as_their_numbers() -> None:
    found = bars(plot_bars("sessions", ["2", "3"], {"train": [4, 2], "test": [4, 0]}, "events"))
    assert [bar.findtext("title") for bar in found] == ["2: 4 train", "3: 2 train", "2: 4 test"]
    first, second, above = found
    assert float(first.get("height", 0)) == pytest.approx(2 * float(second.get("height", 0)), abs=0.2)
    assert float(above.get("y", 0)) + float(above.get("height", 0)) == pytest.approx(
        float(first.get("y", 0)), abs=0.2
    )


def test_nothing_and_one_thing_can_be_drawn() -> None:
    assert bars(plot_bars("sessions", [], {"train": []}, "events")) == []
    assert "polyline" in plot_curve("popularity", [(1, 1)], "rank", log_y=True)
    assert "polyline" in plot_curve("popularity", [(1, 1.0)], "rank", marks=[(1, "1 %")])


@pytest.mark.parametrize("n", [1, 3, 40, 80])
def test_labels_do_not_run_into_each_other(n: int) -> None:
    labels = [f"2024-01-{i:03d}" for i in range(n)]
    svg = ElementTree.fromstring(plot_bars("sessions", labels, {"train": [1] * n}, "day"))
    places = [float(e.get("x", 0)) for e in svg.iter("text") if (e.text or "").startswith("2024")]
    assert all(b - a > 60 for a, b in pairwise(places))
    assert 1 <= len(places) <= n


def test_every_key_of_the_numbers_is_documented(report: Path) -> None:
    numbers = json.loads((report / "report.json").read_text(encoding="utf-8"))
    documented = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")

    def keys(value: object) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(keys, value))
        if not isinstance(value, dict):
            return set()
        return {key for key in value if key.isidentifier()}.union(*map(keys, value.values()))

    shown = {part: numbers[part] for part in numbers if part != "settings"}
    own = {attribute["name"] for attribute in numbers["attributes"]}
    assert {key for key in keys(shown) - own if f"`{key}`" not in documented} == set()


def test_a_file_may_be_called_anything(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    config = make_config(events, items)
    old = config.data.model_dump()["interactions"]
    new = old.with_name("café <b>.csv")
    old.rename(new)
    data = config.data.model_copy(update={"interactions": new})
    folder = prepare_data(config.model_copy(update={"data": data}))
    numbers = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert numbers["source"] == f"{new.name} and items.csv"
    assert "&lt;b&gt;" in (folder / "report.html").read_text(encoding="utf-8")
