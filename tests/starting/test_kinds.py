from __future__ import annotations

import string
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.starting.choice import ChosenKind
from m2trec_merlin.starting.kinds import choose_kind
from m2trec_merlin.starting.levels import choose_tasks, follows, without_twins
from m2trec_merlin.starting.look import Column

N = 400
RANDOM = np.random.default_rng(0)
IDS = Column("sku", pd.Series([f"A{i:04d}" for i in range(N)]))
WORDS = ["red", "blue", "mug", "lamp", "chair", "old", "big", "wine", "table", "shoe"]


def choose(name: str, values: list[Any]) -> ChosenKind:
    return choose_kind(Column(name, pd.Series(values)), IDS)


def drawn(values: list[Any]) -> list[Any]:
    """N values, drawn from some."""
    return [values[i] for i in RANDOM.integers(len(values), size=N)]


TITLES = [f"{WORDS[i % 10]} {WORDS[i // 7 % 10]} {WORDS[i // 31 % 10]} no {i}" for i in range(N)]
LEFT_OUT = {
    "empty": ([None] * N, "holds no value"),
    "blank": ([" "] * N, "holds no value"),
    "one": (["EUR"] * N, "holds 'EUR' in all rows"),
    "hardly": (["x", *[None] * (N - 1)], "99.8 % of values are missing"),
    "again": ([f"A{i:04d}" for i in range(N)], "repeats the ids in 'sku'"),
    "ean": ([f"40063813{i:05d}" for i in range(N)], "of its own for each item"),
    "ean_zero": ([f"00063813{i:05d}" for i in range(N)], "a code of its own for each item"),
    "number": (list(range(N)), "a number of its own for each item"),
    "isbn13": ([9_780_439_023_480.0 + max(i, 20) for i in range(N)], "of its own for each item"),
    "reference": ([4_006_381_300_000 + max(i, 1) for i in range(N)], "a number of its own for each item"),
    "guid": ([f"{i:08x}-{i * 7919:08x}" for i in range(N)], "a code of its own"),
    "slug": ([f"{WORDS[i % 10]}-{WORDS[i // 10 % 10]}-{i}" for i in range(N)], "a code of its own"),
    "image": ([f"https://cdn.example.org/{i}.jpg" for i in range(N)], "addresses of pages or files"),
    "path": ([f"img/{i}/front.PNG" for i in range(N)], "addresses of pages or files"),
    "since": ([f"2023-01-{i % 28 + 1:02d}" for i in range(N)], "dates or times"),
    "launched": ([f"{i % 28 + 1:02d}.03.2023" for i in range(N)], "dates or times"),
    "released": (list(pd.date_range("2020-01-01", periods=N)), "dates or times"),
    "list": (["['a', 'b']", "['c']"] * (N // 2), "lists written as text"),
    "json": (['{"a": 1}', '{"b": 2, "c": 3}'] * (N // 2), "objects written as text"),
    "swiss": ([f"{i + 1}'{i:03d}.50" for i in range(N)], "apostrophes at thousands"),
    "thousands": ([f"{i + 1},000,{i:03d}.50" for i in range(N)], "commas at thousands"),
    "price": (["NULL" if i % 9 == 0 else f"{i}.25" for i in range(N)], "but for 45 values such as 'NULL'"),
    "on request": (
        ["TBD" if i % 40 == 0 else f"{i}.25" for i in range(N)],
        "but for 10 values such as 'TBD'",
    ),
    "in brackets": (
        [f"({i}.5)" if i % 40 == 0 else f"{i}.25" for i in range(N)],
        "numbers, but for 10 values",
    ),
    "prix": (
        ["n/a" if i % 20 == 0 else f"{i},50" for i in range(N)],
        "numbers, but for 20 values such as 'n/a'",
    ),
    "in euros": ([f"{i},50 €" if i % 2 else f"{i},50" for i in range(N)], "numbers with a unit"),
    "preco": ([f"R$ {i},50" for i in range(N)], "numbers with a unit"),
    "790": ([f"n{i % 90 * 12}.000" for i in range(N)], "numbers with a unit"),
    "embedding": ([f"0.{i} 0.5 -0.{i % 7} 1e-3" for i in range(N)], "4 numbers written as text"),
    "embedded": ([f"0.{i};0.5;-0.{i % 7};0.25" for i in range(N)], "4 numbers written as text"),
    "paths": (["Home > Hats, Sale > Hats", "Home > Shoes", "Sale", "Shoes > Hats"] * (N // 4), "'>' and ','"),
    "additional_attributes": (
        [
            f"gender={'Men|Women' if i % 3 else 'Men'},color={WORDS[i % 8]},size={('M|L', 'S')[i % 2]}"
            for i in range(N)
        ],
        "'|' and ','",
    ),
    "Categories": (
        [f"{top}, {top} > {sub}" for top in ("Clothing", "Home") for sub in WORDS[:5]] * (N // 10),
        "'>' and ','",
    ),
    "runtime": ([f"{i % 3}h {i % 60}m" for i in range(N)], "durations"),
    "length": ([f"{i % 60} min 5 sec" for i in range(N)], "durations"),
    "weight": ([f"{i}.5 kg" for i in range(N)], "numbers with a unit"),
    "cost": ([f"€{i}.50" for i in range(N)], "numbers with a unit"),
    "same_list": ([["a", "b"]] * N, "in all rows"),
    "same_vector": ([[0.5, 1.0, 2.0, 4.0]] * N, "in all rows"),
    "hardly_a_list": ([["a"], *[None] * (N - 1)], "99.8 % of values are missing"),
    "empty_list": ([[]] * N, "holds no value"),
    "no_list": ([[], None] * (N // 2), "holds no value"),
    "blanks": ([" " if i % 9 == 0 else f"{i}.25" for i in range(N)], "but for blanks"),
    "damaged": ([[0.5, 1.0, float("nan") if i == 7 else 2.0, 3.0] for i in range(N)], "not finite numbers"),
    "huge": ([1e39, *[float(i) for i in range(N - 1)]], "beyond those of float32"),
    "created_at": ([1_440_000_000 + 97 * (i // 2) for i in range(N)], "dates or times"),
    "bullets": ([[f"it is {word} and good", "a nice thing to have"] for word in drawn(WORDS)], "to one text"),
    "ragged": ([[0.5] * (i % 3 + 4) for i in range(N)], "lists of numbers of different lengths"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_left_out_has_a_reason(name: str) -> None:
    values, reason = LEFT_OUT[name]
    choice = choose(name, values)
    assert choice.kind is None and reason in choice.reason


KINDS = {
    "title": (TITLES, "text", {}),
    "name_of_one_word": ([f"{w}{v}{u}" for w in WORDS for v in WORDS for u in "abcd"], "text", {}),
    "description": ([f"{t} " * 3 for t in TITLES], "text", {"max_tokens": 32}),
    "story": ([f"{t} " * 9 for t in TITLES], "text", {"max_tokens": 64}),
    "story_with_few_lists": (
        ["['some', 'lists']", *[f"{t} " * 9 for t in TITLES[1:]]],
        "text",
        {"max_tokens": 64},
    ),
    "Titel": ([f"日本語の商品名{chr(0x4E00 + i)}" for i in range(N)], "text", {}),
    "category": (drawn(WORDS), "categorical", {}),
    "category with words": (drawn(["home and garden", "wine", "toys, games"]), "categorical", {}),
    "brand": (drawn([f"{a}{b}" for a in WORDS for b in WORDS]), "categorical", {}),
    "brand_id": (drawn(list(range(1000, 1090))), "categorical", {}),
    "categoryId": (list(map(str, drawn(list(range(300))))), "categorical", {}),
    "FinelineNumber": (drawn(list(range(1000, 1300))), "categorical", {}),
    "number of doors": (drawn(list(range(1000, 1300))), "numeric", {}),
    "version": ([f"v{i % 9}.{i % 7}" for i in range(N)], "categorical", {}),
    "colour code": ([f"C{i % 90}.00" for i in range(N)], "categorical", {}),
    "EAN13": (drawn([4_006_381_300_000 + i for i in range(90)]), "categorical", {}),
    "reference": (drawn([4_006_381_300_000 + i for i in range(90)]), "categorical", {}),
    "barcode": (drawn(list(range(90))), "categorical", {}),
    "zip": (drawn(["01099", "10115", "80331"]), "categorical", {}),
    "colour": (drawn([*WORDS[:3], None]), "categorical", {}),
    "new": (drawn([True, False]), "categorical", {}),
    "sold": (["yes", *[None] * 3] * (N // 4), "categorical", {}),
    "tags": (drawn(["a|b", "b|c", "c", "a|b|c"]), "multi_categorical", {}),
    "path": (drawn(["Home > Wine", "Home > Mugs", "Toys > Dolls"]), "multi_categorical", {"separator": ">"}),
    "markup": ([f"<b>word {n}</b> of {n % 5}" for n in range(N)], "text", {}),
    "genres": (drawn(["rock, pop", "pop", "jazz, pop"]), "multi_categorical", {"separator": ","}),
    "pairs": (drawn(["rock, pop", "pop, jazz", "jazz, rock"]), "multi_categorical", {"separator": ","}),
    "moods": (
        drawn([" ".join(w) for n in (1, 1, 2, 3) for w in combinations(["dark", "loud", "slow", "warm"], n)]),
        "multi_categorical",
        {"separator": " "},
    ),
    "shade": (
        drawn([f"{how} {word}".strip() for how in ["", "dark", "pale"] for word in WORDS]),
        "categorical",
        {},
    ),
    "authors": (
        drawn(["Smith, J.;Lee, A.", "Smith, A.;Lee, J.", "Homer;Lee, A.", "Smith, J.;Smith, A."]),
        "multi_categorical",
        {"separator": ";"},
    ),
    "departments": (drawn(["TV/Video|TV", "TV|Arts/Crafts", "Bars/Pubs"]), "multi_categorical", {}),
    "labels": (drawn([["a"], ["a", "b"], []]), "multi_categorical", {}),
    "codes": (drawn([[1, 2], [3]]), "multi_categorical", {}),
    "picture": ([[0.5, float(i), 1.0, 2.0] for i in range(N)], "vector", {"size": 4}),
    "price": ([round(float(x), 2) for x in np.exp(RANDOM.normal(3, 1.5, N))], "numeric", {"log": True}),
    "price_text": ([f"{x:.2f}" for x in np.exp(RANDOM.normal(3, 1.5, N))], "numeric", {"log": True}),
    "preis": ([f"{i % 90 + 10},{i % 100:02d}" for i in range(N)], "numeric", {"decimal": ","}),
    "Verkaufspreis": (
        [f"{i % 9 + 1}.{i % 999:03d},5" for i in range(N)],
        "numeric",
        {"decimal": ","},
    ),
    "rating": (drawn([1.0, 2.5, 4.0, None]), "numeric", {}),
    "Gewicht": ([f"{i % 3},{i:03d}" for i in range(N)], "numeric", {"decimal": ","}),
    "author": (drawn(["Smith, J.", "Lee, A.", "Smith, A.", "Lee, J."]), "categorical", {}),
    "film_title": (drawn([f"{a} {b}" for a in WORDS for b in WORDS[:5]]), "text", {}),
    "season_name": (drawn(["high summer", "early spring", "late autumn"]), "categorical", {}),
    "year": (drawn([2001, 2010, 2020]), "numeric", {}),
    "balance": ([float(i) - 200.5 for i in range(N)], "numeric", {}),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds(name: str) -> None:
    values, kind, settings = KINDS[name]
    choice = choose(name, values)
    assert (choice.kind, choice.settings) == (kind, settings), choice.reason
    assert choice.reason


@pytest.mark.parametrize(
    ("values", "may_be_amounts"),
    [([10, 20, 30], True), ([1, 2], True), ([0, 1], False), ([0.0, 1.0, None], False), (["1", None], False)],
)
def test_few_whole_numbers_under_a_name_that_says_nothing_are_unsure_but_for_flags(
    values: list[Any], may_be_amounts: bool
) -> None:
    choice = choose("x", drawn(values))
    assert choice.kind == "categorical" and ("numeric" in choice.unsure) is may_be_amounts


@pytest.mark.parametrize(
    ("values", "unsure"),
    [
        ([f"{i + 1}.{i:03d}" if i % 2 else str(i + 100) for i in range(N)], True),
        ([f"{i / 1000:.3f}" for i in range(N)], False),
        ([i + i / 1000 for i in range(1, N)], False),
    ],
)
def test_points_that_may_part_thousands_are_unsure(values: list[Any], unsure: bool) -> None:
    choice = choose("price", values)
    assert choice.kind == "numeric" and ("decimal: ','" in choice.unsure) is unsure


CODES = [f"{i % 3 + 1}.{i % 12 + 1}" for i in range(N)]


@pytest.mark.parametrize(
    ("name", "values", "kind", "unsure"),
    [
        ("category", CODES, "categorical", ""),
        ("category", drawn([1.1, 1.2, 2.1]), "categorical", "or numeric, if the numbers are amounts"),
        ("shelf", CODES, "numeric", "or categorical, if '1.1' and '1.10' are two codes"),
        ("shelf", [f"{float(code):.2f}" for code in CODES], "numeric", ""),
        ("price", CODES, "numeric", ""),
        ("brand_affinity", RANDOM.random(N).tolist(), "numeric", ""),
    ],
)
def test_numbers_with_a_point_may_be_codes(name: str, values: list[Any], kind: str, unsure: str) -> None:
    choice = choose(name, values)
    assert (choice.kind, choice.unsure) == (kind, unsure)


@pytest.mark.parametrize(("last", "may_be_fractions"), [("", True), (".50", False)])
def test_commas_that_may_begin_fractions_are_told(last: str, may_be_fractions: bool) -> None:
    choice = choose("weight", [f"{i + 1},{i:03d}{last}" for i in range(N)])
    assert choice.kind is None and choice.reason.startswith(
        f"numbers with commas at thousands, '1,000{last}'"
    )
    assert ("decimal: ','" in choice.reason) is may_be_fractions


def test_a_word_for_what_is_missing_is_told() -> None:
    choice = choose("size", drawn(["S", "M", "NULL"]))
    assert choice.kind == "categorical" and choice.unsure.startswith("'NULL' counts as a value")


def category(name: str, values: list[Any]) -> ChosenKind:
    return ChosenKind(Column(name, pd.Series(values)), "categorical", "")


FINE = [i % 20 for i in range(N)]
LETTERS = [string.ascii_lowercase[i] for i in FINE]


def test_of_a_name_and_its_number_the_name_is_kept() -> None:
    choices = [category("category_id", FINE), category("category", LETTERS), category("brand", drawn(WORDS))]
    kept = without_twins(choices)
    assert [choice.kind for choice in kept] == [None, "categorical", "categorical"]
    assert "'category'" in kept[0].reason


def test_levels_follow_from_finer_ones_only() -> None:
    coarse, fine = category("department", [i // 5 for i in FINE]), category("class", LETTERS)
    assert follows(coarse, fine) and not follows(fine, coarse)


def test_tasks_go_from_coarse_to_fine() -> None:
    levels = [category(f"category_{n}", [i % n for i in range(N)]) for n in (40, 3, 12, 6)]
    assert [t.column.name for t in choose_tasks(levels[:3])] == ["category_3", "category_12", "category_40"]
    assert [t.column.name for t in choose_tasks(levels)] == ["category_3", "category_12", "category_40"]


def test_names_are_kept_beside_letters_that_stand_for_them() -> None:
    letters, names = drawn(list("ABDF")), {"A": "Ladies", "B": "Divided", "D": "Men", "F": "Baby"}
    named = choose("index_name", [names[letter] for letter in letters])
    kept = without_twins([choose("index_code", letters), named])
    assert [c.kind for c in kept] == [None, "categorical"]
    number = {letter: i for i, letter in enumerate(names)}
    kept = without_twins([choose("brand_id", [number[i] for i in letters]), choose("brand", letters)])
    assert [c.kind for c in kept] == [None, "categorical"]


@pytest.mark.parametrize("name", ["customer", "seller", "author_id"])
def test_numbers_of_persons_are_no_amounts(name: str) -> None:
    assert choose(name, RANDOM.integers(3000, size=N).tolist()).kind == "categorical"
    assert choose("weight", RANDOM.integers(3000, size=N).tolist()).kind == "numeric"


def test_numbers_that_name_something_are_kept_beside_words_for_none() -> None:
    brands = [str(95_471 + i) if i % 4 else "NULL" for i in RANDOM.integers(60, size=N)]
    chosen = choose("brand", brands)
    assert chosen.kind == "categorical" and "'NULL' counts as a value" in chosen.unsure
    assert choose("price", brands).kind is None


def test_marks_of_web_pages_separate_nothing() -> None:
    makers = drawn(["Smith &amp; Co", "Penguin", "Dorling", "Wiley &#38; Sons"])
    assert choose("maker", makers).kind == "categorical"
    several = choose("maker", [f"{maker};Penguin" for maker in drawn(["Smith", "Dorling", "Wiley"])])
    assert (several.kind, several.settings) == ("multi_categorical", {"separator": ";"})


def test_what_items_are_called_is_no_level() -> None:
    named, colour = category("name", [f"Lamp{i % 40}" for i in range(N)]), category("colour", LETTERS)
    assert named.names_items and choose_tasks([named, colour]) == [colour]
    days = choose("day", [str(i % 40) for i in range(N)])
    assert days.kind is not None, "a number of days is one of an item"
    sizes = choose("CURR_SIZE_OF_PRODUCT", [f"{i % 40} {'OZ' if i % 3 else 'LB'}" for i in range(N)])
    assert not sizes.names_items, "nobody knows an item by its size"


def test_what_is_known_of_other_items_is_no_twin() -> None:
    few = [["x", "y", "z"][n] if n < 3 else None for n in range(N)]
    many = [["red", "blue", "green"][n % 3] for n in range(N)]
    choices = [choose("style", many), choose("stone", [*few[:3], *["x", "y", "z"] * 2, *[None] * (N - 9)])]
    assert [c.kind for c in without_twins(choices)] == [c.kind for c in choices]


def test_lists_are_no_twins() -> None:
    lists = choose("tags", drawn([["a"], ["b", "a"]]))
    assert [c.kind for c in without_twins([lists, lists])] == ["multi_categorical"] * 2


def test_what_nearly_all_items_have_is_no_task() -> None:
    """A model that always says "English" would be right."""
    languages = category("language_level", ["eng" if i % 20 else ["fr", "de"][i % 3 % 2] for i in range(N)])
    mixed = category("genre", ["drama" if i % 5 else ["fun", "war"][i % 3 % 2] for i in range(N)])
    assert choose_tasks([languages, mixed]) == [mixed] and choose_tasks([languages]) == []


def test_what_is_often_missing_or_as_good_as_an_id_is_no_task() -> None:
    missing = category("category", [None if i % 2 else i % 6 for i in range(N)])
    many = category("class", [i // 2 for i in range(N)])
    assert choose_tasks([missing, many]) == []


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u202f"])
def test_blanks_part_thousands_where_a_comma_begins_the_fraction(blank: str) -> None:
    prices = [f"{i % 9 + 1}{blank}{i:03d},50" if i % 3 else f"{i},95" for i in range(N)]
    choice = choose("prix", prices)
    assert (choice.kind, choice.settings["decimal"]) == ("numeric", ",")
    (numeric,) = [parse_attribute(name="prix", kind="numeric", **choice.settings)]
    assert numeric.canonical(pd.Series(prices)).tolist()[:3] == [0.95, 2001.5, 3002.5]
    assert not [fault for fault in numeric.faults(pd.Series(prices)) if fault.wrong.any()]


def test_codes_are_no_numbers_although_most_are() -> None:
    choice = choose("sku2", [f"{i}-A" if i % 9 == 0 else str(1000 + i % 60) for i in range(N)])
    assert choice.kind == "categorical"
