from __future__ import annotations

import pandas as pd
import pytest

from m2trec_merlin.starting.attributes import choose_attributes
from tests.starting.conftest import LookAt

N = 60
KINDS = [["Helmets", "Tires", "Jerseys"][i % 3] for i in range(N)]
WORDS = ["Sport", "Road", "Mountain", "Long-Sleeve", "Water", "Fender"]
NAMES = [f"{WORDS[i % 6]}_{WORDS[i // 6 % 6]}{'_Set' * (i // 36)}" for i in range(N)]


def kinds(look: LookAt, ids: list[object], **columns: list[object]) -> list[tuple[str, str | None]]:
    found = choose_attributes(look(pd.DataFrame({"Product": ids, **columns})), "Product")
    return [(choice.column.name, choice.kind) for choice in found]


@pytest.mark.parametrize("ids", [NAMES, [name.replace("_", " ") for name in NAMES]])
def test_what_items_are_called_by_is_text_beside_what_else_is_known(look: LookAt, ids: list[object]) -> None:
    found = kinds(look, ids, Category=list(KINDS))
    assert found == [("Product", "text"), ("Category", "categorical")]


@pytest.mark.parametrize(
    "ids",
    [
        range(N),
        [f"SKU-{i:04d}" for i in range(N)],
        [f"tt{i:07d}" for i in range(N)],
        [f"{i * 7919:08x}" for i in range(N)],
    ],
)
def test_codes_are_no_text(look: LookAt, ids: list[object]) -> None:
    assert kinds(look, list(ids), Category=list(KINDS)) == [("Category", "categorical")]


def test_a_title_says_what_the_ids_would(look: LookAt) -> None:
    titles: list[object] = [f"The {name.replace('_', ' ')}" for name in NAMES]
    assert kinds(look, list(NAMES), title=titles) == [("title", "text")]
    brands: list[object] = [f"{kind} and sons" for kind in KINDS]
    assert kinds(look, list(NAMES), brand_name=brands)[0] == ("Product", "text")
