"""From two tables to a configuration that the data step takes."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from m2trec_merlin.cli.app import main
from m2trec_merlin.config import load_config
from m2trec_merlin.data import prepare_data
from m2trec_merlin.errors import ConfigError, DataError
from m2trec_merlin.starting.run import Started, start

RANDOM = np.random.default_rng(7)
NOUNS = ["mug", "lamp", "chair", "wine", "table", "shoe"]
N_ITEMS = 120


def products() -> pd.DataFrame:
    number = np.arange(N_ITEMS)
    return pd.DataFrame(
        {
            "sku": [f"P-{i:03d}" for i in number],
            "name": [f"{['red', 'old', 'big'][i % 3]} {NOUNS[i % 6]} number {i}" for i in number],
            "department": [["home", "food", "wear"][i % 3] for i in number],
            "category": [NOUNS[i % 6] for i in number],
            "price": np.round(np.exp(RANDOM.normal(2, 1.5, N_ITEMS)), 2),
            "currency": "EUR",
            "image": [f"https://cdn.example.org/{i}.jpg" for i in number],
        }
    )


def clicks(sessions: int = 150, unknown: int = 0) -> pd.DataFrame:
    session = np.repeat(np.arange(sessions), 4)
    item = RANDOM.integers(N_ITEMS, size=len(session))
    return pd.DataFrame(
        {
            "visit": [f"v{i}" for i in session],
            "product": [f"P-{i:03d}" for i in item[unknown:]] + [f"Q-{i}" for i in range(unknown)],
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(session)) * 7, unit="min"),
            "action": [["view", "cart"][i % 2] for i in item],
        }
    )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    products().to_csv(tmp_path / "products.csv", index=False)
    clicks().to_csv(tmp_path / "clicks.csv", index=False)
    return tmp_path


def draft(folder: Path, one: str = "clicks.csv", other: str = "products.csv", **options: Any) -> Started:
    return start(folder / one, folder / other, folder / "shop.yaml", **options)


def settings(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return read


EXPECTED = {
    "name": "shop",
    "data": {
        "source": "tables",
        "interactions": "clicks.csv",
        "items": "products.csv",
        "columns": {"session_id": "visit", "item_id": "product", "items_item_id": "sku", "order": "at"},
        "split": {"kind": "time", "test_share": 0.1, "valid_share": 0.1},
    },
    "attributes": [
        {"name": "name", "kind": "text"},
        {"name": "department", "kind": "categorical"},
        {"name": "category", "kind": "categorical"},
        {"name": "price", "kind": "numeric", "log": True},
    ],
    "model": {
        "next_attributes": [
            {"attribute": "department", "weight": 0.2},
            {"attribute": "category", "weight": 0.2},
        ]
    },
    "evaluation": {"max_prefixes": 20000},
}


def test_a_plain_shop(shop: Path) -> None:
    done = draft(shop)
    text = (shop / "shop.yaml").read_text(encoding="utf-8")
    assert settings(shop / "shop.yaml") == EXPECTED
    assert "'currency': holds 'EUR' in all rows" in text and "'image': addresses" in text
    assert "'action' has " in text and "clicks.csv: all 600 rows" in text
    assert done.tried is not None and "items with metadata: 120" in done.tried
    assert "m2trec-init" not in done.tried and done.tried.startswith("Sessions\n")


def test_what_is_written_runs(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft(shop)
    monkeypatch.chdir(shop)
    folder = prepare_data(load_config("shop.yaml"))
    assert len(pd.read_parquet(folder / "items.parquet")) == N_ITEMS


def test_exchanged_tables_are_noticed(shop: Path) -> None:
    done = draft(shop, "products.csv", "clicks.csv")
    assert settings(shop / "shop.yaml") == EXPECTED
    assert any("taken for the items" in line for line in done.found.doubts())


def test_exchanged_tables_are_noticed_also_where_few_items_are_known(shop: Path) -> None:
    """Samples of either: a column of one name says which is which."""
    clicks().rename(columns={"product": "sku"}).to_csv(shop / "clicks.csv", index=False)
    products()[:20].to_csv(shop / "products.csv", index=False)
    done = draft(shop, "products.csv", "clicks.csv")
    assert done.found.ids.clicked == "sku" and done.found.ids.known < 0.25
    assert settings(shop / "shop.yaml")["data"]["interactions"] == "clicks.csv"


def test_users_and_times(shop: Path) -> None:
    table = clicks()
    table["at"] = table["at"] + pd.to_timedelta(table.groupby("visit").ngroup(), unit="h")
    table["customer"] = [f"c{i % 40}" for i in table.groupby("visit", sort=False).ngroup()]
    table.drop(columns="visit").to_csv(shop / "clicks.csv", index=False)
    draft(shop)
    data = settings(shop / "shop.yaml")["data"]
    assert data["sessions"] == {"user": "customer", "gap": "30 min"}
    assert data["columns"] == {"item_id": "product", "items_item_id": "sku", "order": "at"}


DIALECTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "german": (
        {"sep": ";", "encoding": "cp1252", "decimal": ","},
        {"separator": ";", "encoding": "cp1252"},
    ),
    "pipes": ({"sep": "|", "encoding": "utf-16"}, {"separator": "|", "encoding": "utf-16"}),
    "bom": ({"encoding": "utf-8-sig"}, {}),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects(shop: Path, dialect: str) -> None:
    writing, options = DIALECTS[dialect]
    products().replace({"mug": "Gefäß"}, regex=True).to_csv(shop / "products.csv", index=False, **writing)
    clicks().assign(at=clicks()["at"].dt.strftime("%d.%m.%Y %H:%M")).to_csv(
        shop / "clicks.csv", index=False, **writing
    )
    draft(shop)
    found = settings(shop / "shop.yaml")
    assert found["data"]["options"] == {**options, "time_format": "%d.%m.%Y %H:%M"}
    decimal = {"decimal": ","} if dialect == "german" else {}
    assert found["attributes"] == [*EXPECTED["attributes"][:3], {**EXPECTED["attributes"][3], **decimal}]


def test_two_tables_in_two_dialects(shop: Path) -> None:
    products().replace({"mug": "Gefäß"}, regex=True).to_csv(
        shop / "products.csv", index=False, sep=";", encoding="cp1252"
    )
    draft(shop)
    options = settings(shop / "shop.yaml")["data"]["options"]
    assert options == {"encoding": "cp1252", "items": {"separator": ";", "encoding": "cp1252"}}
    products().to_csv(shop / "products.csv", index=False)
    clicks().to_csv(shop / "clicks.csv", index=False, sep=";")
    draft(shop, force=True)
    assert settings(shop / "shop.yaml")["data"]["options"] == {"separator": ";", "items": {}}


def test_marks_that_quote_nothing_and_tabs(shop: Path) -> None:
    for name, table in (("products", products()), ("clicks", clicks())):
        lines = [
            "\t".join(table.columns),
            *("\t".join(map(str, row)) for row in table.itertuples(index=False)),
        ]
        text = "\n".join(lines).replace("mug", '12" mug').replace("red", '"red')
        (shop / f"{name}.tsv").write_text(text)
    draft(shop, "clicks.tsv", "products.tsv")
    assert settings(shop / "shop.yaml")["data"]["options"] == {"quoting": False}


def test_a_folder_and_a_compressed_file(shop: Path) -> None:
    (shop / "clicks").mkdir()
    for part in range(3):
        clicks()[part::3].to_csv(shop / "clicks" / f"{part}.csv", index=False)
    (shop / "products.csv.gz").write_bytes(gzip.compress((shop / "products.csv").read_bytes()))
    draft(shop, "clicks", "products.csv.gz")
    assert settings(shop / "shop.yaml")["data"]["interactions"] == "clicks"


def test_parquet_with_lists_and_vectors(shop: Path) -> None:
    table = products().assign(
        tags=[["new"] * (i % 3) + ["sale"] for i in range(N_ITEMS)],
        picture=[[float(i), 0.5, 1.0, 2.0] for i in range(N_ITEMS)],
        updated=pd.Timestamp("2024-01-01"),
    )
    table.to_parquet(shop / "products.parquet")
    clicks().to_parquet(shop / "clicks.parquet")
    draft(shop, "clicks.parquet", "products.parquet")
    assert settings(shop / "shop.yaml")["attributes"][4:] == [
        {"name": "tags", "kind": "multi_categorical"},
        {"name": "picture", "kind": "vector", "size": 4},
    ]


def test_columns_that_no_setting_can_name(shop: Path) -> None:
    table = products().rename(columns={"department": "item_id", "category": "", "currency": "x" * 256})
    table.to_csv(shop / "products.csv", index=False)
    clicks().rename(columns={"action": ""}).to_csv(shop / "clicks.csv", index=False)
    left_out = "\n".join(draft(shop).found.left_out())
    assert "'item_id': is called as ids are here, which 'sku' holds" in left_out
    assert "products.csv, '': has no name" in left_out and "clicks.csv, '': has no name" in left_out
    assert "has a name of more than 255 letters" in left_out


def test_typed_columns_that_hold_no_times_and_days(shop: Path) -> None:
    table = clicks().assign(day=clicks()["at"].dt.date, spent=pd.to_timedelta(np.arange(600), unit="s"))
    table.drop(columns="at").to_parquet(shop / "clicks.parquet")
    draft(shop, "clicks.parquet")
    data = settings(shop / "shop.yaml")["data"]
    assert data["columns"]["order"] == "day" and data["split"]["kind"] == "hash"


def test_events_of_unknown_items_are_counted_and_left_out(shop: Path) -> None:
    clicks(unknown=30).to_csv(shop / "clicks.csv", index=False)
    done = draft(shop)
    assert settings(shop / "shop.yaml")["data"]["options"] == {"drop_unknown_items": True}
    assert "5 % of events name no item of products.csv, and are left out" in done.found.doubts()


def test_names_of_columns_that_yaml_and_the_product_would_misread(shop: Path) -> None:
    names = {
        "name": "Name: the #1,\n'best' [yes]",
        "department": "2nd: dept",
        "category": "row",
        "price": "price (€)" + "x" * 100,
        "currency": "a\nb",
        "image": "- {}",
    }
    products().rename(columns=names).to_csv(shop / "products.csv", index=False)
    clicks().rename(columns={"visit": "session: no", "product": "- item"}).to_csv(
        shop / "clicks.csv", index=False
    )
    draft(shop)
    found = settings(shop / "shop.yaml")
    assert found["data"]["columns"]["session_id"] == "session: no"
    assert [a["column"] for a in found["attributes"]] == [names[n] for n in list(names)[:4]]
    assert [a["name"] for a in found["attributes"]] == [
        "Name_the_1_best_yes",
        "column_2nd_dept",
        "row_of_item",
        "price_" + "x" * 71,
    ]


def test_paths_are_those_of_the_tables_wherever_the_file_is(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop / "configs").mkdir()
    monkeypatch.chdir(shop)
    start(Path("clicks.csv"), shop / "products.csv", Path("configs/my shop.yaml"))
    config = load_config("configs/my shop.yaml")
    assert config.name == "my_shop"
    assert settings(Path("configs/my shop.yaml"))["data"]["items"] == "../products.csv"
    assert [path.name for path in (shop / "configs").iterdir()] == ["my shop.yaml"]


def test_what_lies_there_is_replaced_only_if_asked(shop: Path) -> None:
    (shop / "shop.yaml").write_text("mine: true\n")
    with pytest.raises(ConfigError, match="is there already: --force replaces it"):
        draft(shop)
    assert (shop / "shop.yaml").read_text() == "mine: true\n"
    draft(shop, force=True)
    assert settings(shop / "shop.yaml") == EXPECTED


def test_faults_of_the_arguments_come_together(shop: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        start(shop / "none.csv", shop / "products.csv", shop / "nowhere" / "shop.txt")
    text = str(caught.value)
    assert (
        "none.csv: no such file" in text and "must end in .yaml" in text and "nowhere: no such folder" in text
    )
    with pytest.raises(ConfigError, match="are one table: name it once if it says what the items are"):
        start(shop / "clicks.csv", shop / ".." / shop.name / "clicks.csv", shop / "shop.yaml")


def test_both_tables_are_looked_at_before_anything_is_said(shop: Path) -> None:
    (shop / "clicks.csv").write_text("")
    (shop / "products.csv").write_text("sku,name\n")
    with pytest.raises(DataError) as caught:
        draft(shop)
    assert "clicks.csv: the file is empty" in str(caught.value)
    (shop / "clicks.csv").write_text("a,b\n")
    with pytest.raises(DataError) as caught:
        draft(shop)
    assert [problem.rpartition("/")[2] for problem in caught.value.problems] == [
        "clicks.csv: holds no rows",
        "products.csv: holds no rows",
    ]
    assert not (shop / "shop.yaml").exists()


def test_ids_that_never_meet_are_shown_as_both_tables_write_them(shop: Path) -> None:
    table = clicks()
    table["product"] = table["product"].str.replace("P-", "P")
    table.to_csv(shop / "clicks.csv", index=False)
    with pytest.raises(DataError, match=r"'product' has 'P\d\d\d'.*'sku' has 'P-\d\d\d'"):
        draft(shop)
    assert not (shop / "shop.yaml").exists()


def test_a_file_of_another_format_is_called_so(shop: Path) -> None:
    products().to_parquet(shop / "p.parquet")
    (shop / "p.parquet").replace(shop / "products.csv")
    with pytest.raises(DataError, match=r"Parquet file: let its name end in \.parquet"):
        draft(shop)


def test_a_first_line_that_is_no_header_is_doubted(shop: Path) -> None:
    goods = products().replace({"sku": {"P-000": "never clicked 0"}}).assign(**dict.fromkeys("abc", "x"))
    goods.to_csv(shop / "products.csv", index=False, header=False)
    lines = draft(shop).found.doubts()
    (told,) = (
        e for e in lines if "the first line of products.csv names the columns, but looks like data" in e
    )
    assert told.endswith("more")


def test_items_that_only_have_an_id_are_refused(shop: Path) -> None:
    products()[["sku", "currency"]].to_csv(shop / "products.csv", index=False)
    with pytest.raises(DataError, match=r"nothing describes the items in 'sku': 'currency': holds 'EUR'"):
        draft(shop)


def test_the_command_line_ends_with_what_to_run(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop)
    monkeypatch.setattr(sys, "argv", ["m2trec", "init", "clicks.csv", "products.csv"])
    with pytest.raises(SystemExit) as caught:
        main()
    printed = capsys.readouterr().out
    assert not caught.value.code and printed.rstrip().splitlines()[-1] == "  m2trec demo -c shop.yaml"
    assert "Left out" in printed and "'currency': holds 'EUR' in all rows" in printed
