"""A catalogue that changes while it is served: from a table on disk to the answers of both steps."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.contract.about import number_of
from m2trec_merlin.contract.catalogue import Availability, catalogue_folder
from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.errors import ArtifactError, DataError
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
from m2trec_merlin.serving.runtime.steps import PredictStep, PreprocessStep
from tests.worlds.shop import N_ITEMS, raw_items

NEW = pd.DataFrame(
    {
        "item_id": ["new-1", "new-2", "new-3"],
        "product_name": ["purple bread 7", "black milk 1", "gold apple 2"],
        "department": ["bakery", "dairy", "produce"],
        "tags": ["local|vegan", None, "organic"],
        "price": [2.5, 3.25, 4.0],
        "image": [[0.5, -1.0, 2.0], [1.0, 0.0, 0.0], [0.0, 0.25, 1.0]],
    }
)

SHOWN = ("item_vectors.npy", "candidate_vectors.npy", "biases.npy", "items.parquet")


class Served:
    """Both steps of a repository, asked as the ensemble asks them."""

    def __init__(self, repository: Path) -> None:
        self.first = PreprocessStep(version_folder(repository, PREPROCESS), in_background=True)
        self.second = PredictStep(version_folder(repository, PREDICT), in_background=True)

    def ask(self, session: list[str], **options: object) -> dict[str, Any]:
        tensors = {
            "item_ids": np.array([[item_id.encode() for item_id in session]], object),
            "options": np.array([[json.dumps(options).encode()]], object),
        }
        [read] = self.first.answer([tensors])
        assert isinstance(read, dict), read
        [answer] = self.second.answer([read])
        assert isinstance(answer, dict), answer
        texts = {
            name: [t.decode() for t in answer[name][0]] for name in ("recommended_ids", "titles", "warnings")
        }
        about = json.loads(answer["about"][0, 0])
        return {**texts, "scores": answer["scores"][0], "catalogue": about["catalogue"]}

    def until(self, catalogue: str) -> Served:
        """Wait until a version is served."""
        deadline = time.monotonic() + 20
        while number_of(self.first._ids.current) != catalogue:
            assert time.monotonic() < deadline, f"{catalogue} is not served"
            time.sleep(0.02)
        return self

    def close(self) -> None:
        self.first.close()
        self.second.close()


@pytest.fixture
def serve(repository: Path) -> Any:
    opened: list[Served] = []

    def open_() -> Served:
        opened.append(Served(repository))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    def write(frame: pd.DataFrame, name: str = "items.parquet") -> Path:
        path = tmp_path / name
        frame.to_csv(path, index=False) if name.endswith(".csv") else frame.to_parquet(path, index=False)
        return path

    return write


def everything(served: Served, session: list[str], **options: object) -> dict[str, float]:
    answer = served.ask(session, top_k=N_ITEMS + 5, **options)
    return dict(zip(answer["recommended_ids"], answer["scores"].tolist(), strict=True))


def test_added_items_are_recommended_found_and_filtered_while_served(repository, serve, table) -> None:
    served = serve()
    before = everything(served, ["sku-3"])
    assert served.ask(["new-1", "sku-3"])["warnings"], "not known yet"
    version = CatalogueVerbs(repository).add(table(NEW))
    assert (version.number, version.parent, version.items) == (1, 0, N_ITEMS + 3)
    served.until("1")
    after = everything(served, ["sku-3"])
    assert after.keys() == before.keys() | {"new-1", "new-2", "new-3"}
    assert {item_id: after[item_id] for item_id in before} == before, "nothing else moved"
    answer = served.ask(["new-1", "sku-3"], filters={"department": "bakery", "price": {"max": 2.5}})
    assert answer["catalogue"] == "1" and not [w for w in answer["warnings"] if "new-1" in w]
    assert set(answer["recommended_ids"]) == {"new-1", "sku-1"}
    titles = dict(zip(answer["recommended_ids"], answer["titles"], strict=True))
    assert titles["new-1"] == "purple bread 7"
    # A server that is started now begins with it.
    assert everything(serve(), ["sku-3"]) == after


def test_an_item_by_id_is_the_item_by_its_attributes(repository, serve, table) -> None:
    """What is said of an item means the same, whether it came by a table or comes with a request."""
    CatalogueVerbs(repository).add(table(NEW))
    served = serve()
    raw = {k: v for k, v in NEW.iloc[0].to_dict().items() if k != "item_id"}
    tensors = {
        "item_ids": np.array([[b"sku-3", b""]], object),
        "item_attributes": np.array([[b"", json.dumps(raw).encode()]], object),
    }
    [read] = served.first.answer([tensors])
    [answer] = served.second.answer([read])
    by_id = served.ask(["sku-3", "new-1"])
    assert [i.decode() for i in answer["recommended_ids"][0]] == by_id["recommended_ids"]
    np.testing.assert_allclose(answer["scores"][0], by_id["scores"], atol=1e-5)


def test_numbers_written_as_text_are_the_same_numbers(repository, tmp_path, table) -> None:
    other = Path(shutil.copytree(repository, tmp_path / "other"))
    CatalogueVerbs(repository).add(table(NEW))
    CatalogueVerbs(other).add(
        table(NEW.assign(price=["2.50", "3.25", " 4"], department=NEW.department + " "))
    )
    one, two = (catalogue_folder(each) / "1" for each in (repository, other))
    for name in SHOWN:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_an_updated_item_has_other_attributes_and_its_own_history(repository, serve, table) -> None:
    served = serve()
    before = everything(served, ["sku-3"])
    changed = raw_items().iloc[[4]].assign(product_name="silver cake", department="bakery", price=0.5)
    version = CatalogueVerbs(repository).update(table(changed))
    assert version.items == N_ITEMS
    served.until("1")
    after = everything(served, ["sku-3"])
    assert after.keys() == before.keys()
    assert after["sku-4"] != before["sku-4"]
    assert {i: s for i, s in after.items() if i != "sku-4"} == {
        i: s for i, s in before.items() if i != "sku-4"
    }
    cheap = served.ask(["sku-3"], filters={"price": {"max": 0.5}})
    assert (cheap["recommended_ids"], cheap["titles"]) == (["sku-4"], ["silver cake"])
    # It has its training history: it is no new item, and as popular as before.
    boosted = everything(served, ["sku-3"], new_item_boost=5.0)
    assert boosted["sku-4"] == after["sku-4"]
    assert "sku-4" in served.ask([], top_k=5)["recommended_ids"]
    # What it was cannot be found any more.
    assert "sku-4" not in served.ask(["sku-3"], top_k=30, filters={"price": 5.0})["recommended_ids"]


def test_updating_with_the_same_attributes_changes_no_answer(repository, serve, table) -> None:
    served = serve()
    before = everything(served, ["sku-3", "sku-4"])
    CatalogueVerbs(repository).update(table(raw_items().iloc[[4, 29]]))
    served.until("1")
    after = everything(served, ["sku-3", "sku-4"])
    assert list(after) == list(before)
    assert after == before, "to the last bit"


def test_removed_items_are_unknown_and_hidden_ones_are_not(repository, serve) -> None:
    served = serve()
    verbs = CatalogueVerbs(repository)
    verbs.remove(["sku-3"])
    verbs.hide(["sku-5"])
    served.until("2")
    answer = served.ask(["sku-3", "sku-5"], top_k=N_ITEMS)
    assert [w for w in answer["warnings"] if "no item sku-3" in w or "sku-3" in w]
    assert not [w for w in answer["warnings"] if "sku-5" in w]
    assert not {"sku-3", "sku-5"} & set(answer["recommended_ids"])
    assert not {"sku-3", "sku-5"} & set(served.ask([], top_k=N_ITEMS)["recommended_ids"]), "nor by popularity"
    assert served.ask(["sku-1"], exclude=["sku-3"])["warnings"]
    verbs.hide(["sku-5"], hidden=False)
    served.until("3")
    assert "sku-5" in served.ask(["sku-1"], top_k=N_ITEMS)["recommended_ids"]


def test_an_exported_item_that_comes_back_is_what_it_was(repository, serve, table) -> None:
    served = serve()
    before = everything(served, ["sku-8"])
    verbs = CatalogueVerbs(repository)
    verbs.remove(["sku-4"])
    version = verbs.add(table(raw_items().iloc[[4]]))
    assert version.items == N_ITEMS
    served.until("2")
    assert everything(served, ["sku-8"]) == before


def test_items_become_available_and_stop_being_so_without_a_new_version(repository, serve, table) -> None:
    now = pd.Timestamp.now("UTC")
    soon = (now + pd.Timedelta(seconds=4)).isoformat()
    times = NEW.assign(
        available_from=[soon, "2020-01-01", None],
        available_until=[None, soon, "2020-01-02T00:00:00Z"],
        hidden=[False, False, None],
    )
    served = serve()
    CatalogueVerbs(repository).add(table(times))
    served.until("1")
    first = everything(served, ["new-1"])
    assert {i for i in first if i.startswith("new")} == {"new-2"}
    time.sleep(max(0, 4.2 - (pd.Timestamp.now("UTC") - now).total_seconds()))
    answer = served.ask(["new-1"], top_k=N_ITEMS + 5)
    assert {i for i in answer["recommended_ids"] if i.startswith("new")} == {"new-1"}
    assert answer["catalogue"] == "1" and not [w for w in answer["warnings"] if "new" in w]


def test_an_update_may_say_when_items_are_available_and_nothing_else(repository, serve, table) -> None:
    served = serve()
    when = pd.DataFrame(
        {"item_id": ["sku-1", "sku-2"], "available_until": ["2020-01-01", None], "hidden": [0, 1]}
    )
    CatalogueVerbs(repository).update(table(when, "when.csv"))
    served.until("1")
    assert not {"sku-1", "sku-2"} & everything(served, ["sku-1"]).keys()
    CatalogueVerbs(repository).update(table(when.assign(available_until=None, hidden=0), "when.csv"))
    served.until("2")
    assert {"sku-1", "sku-2"} <= everything(served, ["sku-1"]).keys()


def test_what_a_table_does_not_say_of_availability_stays(repository, table) -> None:
    verbs = CatalogueVerbs(repository)
    verbs.hide(["sku-1"])
    ids = pd.DataFrame({"item_id": ["sku-1"]})
    verbs.update(table(ids.assign(available_from="2020-01-01", hidden=None)))
    version = verbs.update(table(ids.assign(available_until="2020-01-02")))
    assert dict(version.availability) == {"sku-1": Availability(True, 1577836800.0, 1577923200.0)}
    with pytest.raises(DataError, match="item sku-1 is available until a time that is not after"):
        verbs.update(table(ids.assign(available_from="2020-01-03")))
    version = verbs.update(table(ids.assign(available_until="9999-12-31")))
    assert dict(version.availability) == {"sku-1": Availability(True, 1577836800.0, None)}
    with pytest.raises(DataError, match="'available_from': is not a time of 1678 to 2261"):
        verbs.update(table(ids.assign(available_from="9999-12-31")))
    version = verbs.update(table(ids.assign(hidden=False, available_from=None, available_until=None)))
    assert dict(version.availability) == {}


def test_an_id_that_is_named_twice_counts_once(repository, table) -> None:
    twice = table(pd.DataFrame({"item_id": ["sku-1", "sku-2"]}))
    version = CatalogueVerbs(repository).remove(["sku-1", "sku-1"], twice)
    assert (version.did, version.items) == ("remove 2 items", N_ITEMS - 2)


def test_rollback_goes_back_and_history_says_what_was(repository, serve, table) -> None:
    served = serve()
    before = everything(served, ["sku-3"])
    verbs = CatalogueVerbs(repository)
    verbs.add(table(NEW.iloc[:2]))
    one = everything(served.until("1"), ["sku-3"])
    verbs.add(table(NEW.iloc[2:]))
    served.until("2")
    assert verbs.rollback().number == 1
    assert everything(served.until("1"), ["sku-3"]) == one
    assert verbs.rollback(0).number == 0
    assert everything(served.until("0"), ["sku-3"]) == before
    version = verbs.add(table(NEW.iloc[2:]))
    assert (version.number, version.parent) == (3, 0), "numbers are never given twice"
    did = [(each.number, each.parent, each.did) for each in verbs.versions.all()]
    assert did == [
        (1, 0, "add 2 items of items.parquet"),
        (2, 1, "add item new-3 of items.parquet"),
        (3, 0, "add item new-3 of items.parquet"),
    ]
    with pytest.raises(ArtifactError, match="no version 9 of the catalogue; kept are 0, 1, 2, 3"):
        verbs.rollback(9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda f: f.assign(item_id=["sku-1", "new-2", "sku-2"]),
            "items sku-1, sku-2 are in the catalogue already",
        ),
        (lambda f: f.assign(item_id=["new-1", "new-1", "new-3"]), "repeats the id of an earlier row"),
        (lambda f: f.assign(price=["cheap", "1", "2"]), "column 'price': is not a finite number"),
        (lambda f: f.drop(columns="department"), "no column 'department'"),
        (lambda f: f.rename(columns={"item_id": "sku"}), "no column 'product_id'"),
        (lambda f: f[["item_id"]].rename(columns={"item_id": "sku"}), "no column 'product_name'"),
        (lambda f: f.assign(available_from="next week"), "is not a time"),
        (
            lambda f: f.assign(hidden="maybe"),
            "column 'hidden': is neither true nor false in 3 rows: row 1 ('maybe')",
        ),
        (
            lambda f: f.assign(available_from="2027-01-02", available_until="2027-01-01"),
            "is not after available_from",
        ),
        (lambda f: f.iloc[:0], "holds no rows"),
    ],
)
def test_a_faulty_table_changes_nothing_and_says_why(repository, table, change, said) -> None:
    with pytest.raises(DataError) as error:
        CatalogueVerbs(repository).add(table(change(NEW)))
    assert said in str(error.value)
    assert CatalogueVerbs(repository).versions.current() == 0
    assert not list(catalogue_folder(repository).glob("*"))


def test_what_the_catalogue_lacks_is_neither_updated_nor_removed(repository, table) -> None:
    verbs = CatalogueVerbs(repository)
    for act in (
        lambda: verbs.update(table(NEW)),
        lambda: verbs.remove(["new-1"]),
        lambda: verbs.hide(["new-1"]),
    ):
        with pytest.raises(DataError, match=r"new-1.* (is|are) not in the catalogue"):
            act()
    with pytest.raises(DataError, match="no item is named"):
        verbs.remove([])


def test_columns_that_nothing_reads_and_ids_that_are_nearly_known_are_named(repository, table) -> None:
    said: list[str] = []

    class Telling:
        def say(self, line: str) -> None:
            said.append(line)

        def advance(self, task: str, done: int, total: int, note: str = "") -> None: ...

    CatalogueVerbs(repository, Telling()).add(
        table(NEW.assign(colour="red", stock=3).replace("new-2", "SKU-3"))
    )
    assert any("not read: colour, stock" in line for line in said)
    assert "tags: the model does not know 'vegan', so nothing is concluded from it (1 item)" in said
    nearly = "the items have 'sku-3', which differs from 'SKU-3' by small and capital letters"
    assert any(line.endswith(f"{nearly}: added as another item") for line in said)
