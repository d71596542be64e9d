from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from m2trec_merlin.cli.app import app
from m2trec_merlin.contract.repository import find_repository
from m2trec_merlin.contract.server_settings import ServerSettings
from m2trec_merlin.contract.shown import SCHEMA
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.serving.replay import compare_answers, replay
from m2trec_merlin.serving.runtime.steps import PredictStep, PreprocessStep
from m2trec_merlin.serving.runtime.worker import Worker
from tests.serving.runtime.counted import Counted
from tests.worlds.shop import Shop

ASKED: list[dict[str, list[str]]] = [
    {"item_ids": ["sku-1", "sku-2"], "options": ['{"top_k": 4}']},
    {"item_ids": ["sku-3", "nope"]},
    {"item_ids": []},
    {"item_ids": [""], "item_attributes": ['{"product_name": "green tea", "price": 3}'], "options": ["{}"]},
    {"item_ids": ["sku-1"], "options": ['{"filters": {"department": "no such"}}']},
]


def inputs(asked: dict[str, list[str]]) -> dict[str, np.ndarray]:
    return {n: np.array([[text.encode() for text in texts]], dtype=object) for n, texts in asked.items()}


@pytest.fixture(scope="module")
def log(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the shop's export answered, as its workers log it."""
    folder = tmp_path_factory.mktemp("log")
    settings = ServerSettings(shown=str(folder))
    first = Worker(PreprocessStep, shop.preprocess, settings, Counted())
    second = Worker(PredictStep, shop.predict, settings, Counted())
    ids = [str(number) for number in range(len(ASKED))]
    read = [each for each in first.answer([inputs(asked) for asked in ASKED], ids) if isinstance(each, dict)]
    second.answer(read, ids)
    first.close(), second.close()
    yield folder


def test_the_same_export_answers_the_same(shop: Shop, log: Path) -> None:
    found = replay(log, shop.repository, k=5)
    assert (found.requests, found.refused) == (len(ASKED), 0)
    assert (found.overlap, found.same, found.same_first, found.rank_shift) == (1, 1, 1, 0)
    assert found.shown_by == [found.against] and len(found.against) == 16


def test_in_a_process_of_its_own_neighbours_are_there_before_raw_items_are(shop: Shop, log: Path) -> None:
    """What a server imports aside, with stand-ins for what it does without, is not imported aside here."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from m2trec_merlin.serving import replay\n"
        "class Later(replay.PredictStep):\n"
        "    def __init__(self, *args, **settings):\n"
        "        time.sleep(0.5)\n"
        "        import numba\n"
        "        assert numba.__version__\n"
        "        super().__init__(*args, **settings)\n"
        "replay.PredictStep = Later\n"
        "print(replay.replay(Path(sys.argv[1]), Path(sys.argv[2]), 5).same)\n"
    )
    command = [sys.executable, "-c", program, str(log), str(shop.repository)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "1.0\n", done.stderr


def test_overlap_and_shift_by_hand() -> None:
    assert compare_answers(["a", "b", "c"], ["c", "x", "a", "y"]) == (2 / 4, [2, 2])
    assert compare_answers(["a", "b"], ["b", "a"]) == (1.0, [1, 1])
    assert compare_answers([], []) == (1.0, [])
    assert compare_answers(["a"], []) == (0.0, [])


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    blank = {"time": 0, "request_id": "", "model": "old", "item_attributes": [], "options": "", "scores": []}
    pq.write_table(
        pa.Table.from_pylist([{**blank, **row} for row in rows], schema=SCHEMA), folder / "shown-1.parquet"
    )
    return folder


@pytest.fixture
def other(shop: Shop, tmp_path: Path) -> Path:
    """A log of another shop's answers: what this one answers is known by what it answers to no session."""
    return write(
        tmp_path,
        [
            # The most popular ones are 0, 1, 2: two of them moved by one place.
            {"item_ids": [], "options": '{"top_k": 3}', "recommended_ids": ["sku-1", "sku-0", "sku-9"]},
            {"item_ids": [], "options": '{"top_k": 3}', "recommended_ids": ["sku-0", "sku-1", "sku-2"]},
            {"item_ids": ["sku-1"], "options": '{"no": 1}', "recommended_ids": ["sku-0"]},
        ],
    )


def test_another_export_is_measured(shop: Shop, other: Path) -> None:
    found = replay(other, shop.repository, k=3)
    assert (found.requests, found.refused, found.shown_by) == (3, 1, ["old"])
    # What is refused has nothing in common with what was shown.
    assert found.overlap == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert (found.same, found.same_first) == pytest.approx((1 / 3, 1 / 3))
    assert found.rank_shift == pytest.approx((1 + 1 + 0 + 0 + 0) / 5)
    assert replay(other, shop.repository, k=1).overlap == pytest.approx(1 / 3)


def test_the_command_prints_json_or_a_table_and_an_exit_code(shop: Shop, other: Path) -> None:
    run = str(shop.config.directory)
    command = ["replay", str(other), "--against", run, "-k", "3"]
    result = CliRunner().invoke(app, [*command, "--json", "--at-least", "0.5"])
    assert result.exit_code == 0 and json.loads(result.stdout)["overlap"] == pytest.approx(5 / 9)
    result = CliRunner().invoke(app, [*command, "--at-least", "0.6"])
    assert result.exit_code == 3
    assert "overlap@3" in result.stdout and "0.556" in result.stdout and "0.40 places" in result.stdout


def test_what_cannot_be_replayed_is_named(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"holds no shown-\*\.parquet: serve with serving\.log\.folder="):
        replay(tmp_path, shop.repository, 5)
    with pytest.raises(ArtifactError, match="holds no request that was answered"):
        replay(write(tmp_path, []), shop.repository, 5)
    (tmp_path / "shown-2.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArtifactError, match=r"shown-2\.parquet is damaged .*: remove it"):
        replay(tmp_path, shop.repository, 5)
    pq.write_table(pa.table({"time": [1]}), tmp_path / "shown-2.parquet")
    with pytest.raises(ArtifactError, match=r"it has no column item_attributes, item_ids, model"):
        replay(tmp_path, shop.repository, 5)
    (tmp_path / "clicks.csv").write_text("item_id")
    with pytest.raises(ArtifactError, match=r"clicks\.csv is damaged .*: name the folder of the log"):
        replay(tmp_path / "clicks.csv", shop.repository, 5)
    with pytest.raises(ArtifactError, match="holds no Triton model 'm2trec': run `m2trec export` first"):
        find_repository(tmp_path)


def test_logs_that_no_server_wrote_are_named(shop: Shop, log: Path, tmp_path: Path) -> None:
    log = Path(shutil.copytree(log, tmp_path / "log"))
    [path] = log.glob("shown-*.parquet")
    table = pq.read_table(path)
    place = table.schema.get_field_index("item_ids")
    pq.write_table(table.set_column(place, "item_ids", pa.array([[1]] * len(table))), path)
    with pytest.raises(ArtifactError, match=rf"{path.name} is damaged \(another type has item_ids\)"):
        replay(log, shop.repository, 5)
    nothing = pa.array([None] * len(table), pa.string())
    pq.write_table(table.set_column(table.schema.get_field_index("model"), "model", nothing), path)
    with pytest.raises(ArtifactError, match=rf"{path.name} is damaged \(model is missing in some rows\)"):
        replay(log, shop.repository, 5)
