"""On the fast path the server must not load what costs seconds and hundreds of megabytes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from m2trec_merlin.config.serving import FixedMixture, NoMixture
from m2trec_merlin.contract.names import PREDICT
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.serving.export.licences import packages_of
from m2trec_merlin.serving.export.run import export
from tests.modules_of_packages import packages_by_module
from tests.worlds.shop import Shop, build_shop, raw_items

HEAVY = {"torch", "pandas", "nvtabular", "merlin", "transformers4rec", "dask", "pydantic", "tritonclient"}

ANSWER = """
import sys
from pathlib import Path
from m2trec_merlin.serving.runtime.steps.handover import as_arrays, hand_over
from m2trec_merlin.serving.runtime.requests import Request
from m2trec_merlin.serving.runtime.options import check_options
from m2trec_merlin.serving.runtime.steps import PredictStep
from m2trec_merlin.rows import RowsOfIds
from m2trec_merlin.serving.runtime.reading.parsing import RawSession
from m2trec_merlin.serving.runtime.reading.sessions import SessionReader
step = PredictStep(Path(sys.argv[1]), in_background=True)
version = step.recommender.version
reader = SessionReader(lambda: ("0", RowsOfIds(["sku-0", "sku-1"])), version, None)
[read] = reader.read([RawSession(["sku-1"])])
options = check_options('{"filters": {"department": "dairy"}}', version)
inputs = hand_over(Request(read.rows, read.new_items, options, read.notes), version)
[answer] = step.answer([as_arrays(inputs)])
assert answer["scores"].size, answer
print(*sys.modules)
"""

ENCODE = """
import sys
from pathlib import Path
import numpy as np
from m2trec_merlin.merlin_adapter import import_lightly
from m2trec_merlin.serving.runtime.steps import PreprocessStep
import_lightly()
raw = np.array([[b'{"product_name": "red bread", "price": 2}']], object)
asked = {"item_ids": np.array([[b""]], object), "item_attributes": raw}
[answer] = PreprocessStep(Path(sys.argv[1]), in_background=True).answer([asked])
assert answer["rows"].tolist() == [[-1]], answer
print(*sys.modules)
import torch  # as an encoder of sentences would
assert torch.ones(1).sum() == 1
"""

CHANGE = """
import sys
from pathlib import Path
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
CatalogueVerbs(Path(sys.argv[1])).update(Path(sys.argv[2]))
import transformers4rec.torch  # as training would, in the same process
print(*sys.modules)
"""

COMMAND = """
import sys
import m2trec_merlin.cli.app
print(*sys.modules)
"""

CONNECT = """
import sys
import m2trec_merlin.serving.client
print(*sys.modules)
"""


def modules_of(code: str, *arguments: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {module.split(".")[0] for module in done.stdout.split()}


def test_answering_for_known_items_imports_no_heavy_package(shop: Shop) -> None:
    loaded = modules_of(ANSWER, str(shop.predict))
    assert "onnxruntime" in loaded
    assert loaded & HEAVY == set()


def test_encoding_raw_items_imports_nvtabular_and_little_else(shop: Shop) -> None:
    loaded = modules_of(ENCODE, str(shop.preprocess))
    assert "nvtabular" in loaded and not loaded & {"torch", "tritonclient", "numba", "distributed"}


def test_who_changes_a_catalogue_may_train_afterwards(shop: Shop, tmp_path: Path) -> None:
    repository = shutil.copytree(shop.repository, tmp_path / "triton", symlinks=True)
    raw_items().head(1).to_parquet(tmp_path / "items.parquet")
    loaded = modules_of(CHANGE, str(repository), str(tmp_path / "items.parquet"))
    assert {"nvtabular", "transformers4rec", "numba"} <= loaded


@pytest.mark.parametrize("mixture", [NoMixture(), FixedMixture(by_id=1.0, content=0.5, beside=0.5)])
def test_the_card_names_the_packages_that_answering_imports(
    tmp_path: Path, mixture: FixedMixture | NoMixture
) -> None:
    config, *_ = build_shop(tmp_path)
    serving = config.serving.model_copy(update={"mixture": mixture, "index": "exact"})
    config = config.model_copy(update={"serving": serving})
    loaded = modules_of(ANSWER, str(version_folder(export(config), PREDICT)))
    own = {Requirement(each).name.lower() for each in requires("m2trec-merlin") or ()}
    of_modules = packages_by_module()
    imported = {each.lower() for module in loaded for each in of_modules.get(module, ())} & own
    named = {each.lower() for each in packages_of(config, "exact")}
    # Python's environments import setuptools at their start.
    imported -= {"setuptools"}
    assert imported <= named, imported - named
    if isinstance(mixture, FixedMixture):
        assert {"scipy", "numba", "tokenizers"} <= imported and "scikit-learn" not in named


def test_no_command_waits_for_what_it_may_not_need() -> None:
    loaded = modules_of(COMMAND)
    assert "typer" in loaded and not loaded & {"nvtabular", "sklearn", "torch", "merlin"}


def test_the_client_needs_neither_the_model_nor_the_server(shop: Shop) -> None:
    loaded = modules_of(CONNECT)
    assert loaded & ({"onnxruntime", "pyarrow"} | HEAVY) == set()
