"""Every file of an export, altered, cut or removed: an error that names it, before anything is served."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from m2trec_merlin.contract.version import Description
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
from m2trec_merlin.serving.export.repository import version_folder
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
from tests.worlds.shop import Shop, raw_items


def alter(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def load(repository: Path) -> None:
    """Check what `m2trec serve` checks, then what each step does when Triton loads it."""
    TritonServer(repository, Ports.free()).require_startable()
    for model in ("m2trec_preprocess", "m2trec_predict"):
        Description.open(version_folder(repository, model))


@pytest.fixture(scope="module")
def repository(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Python leaves compiled copies of the models' code behind where Triton has served the shop before.
    ignore = shutil.ignore_patterns("__pycache__")
    return shutil.copytree(shop.repository, tmp_path_factory.mktemp("export") / "triton", ignore=ignore)


@pytest.mark.parametrize("damage", [alter, cut, Path.unlink])
def test_every_damaged_file_is_named(repository: Path, damage: Callable[[Path], None]) -> None:
    load(repository)
    files = [path for path in repository.rglob("*") if path.is_file()]
    kinds = {"".join(path.suffixes) for path in files}
    assert kinds == {".json", ".pbtxt", ".py", ".parquet", ".npy", ".onnx", ".md"} and len(files) > 20
    for path in files:
        content = path.read_bytes()
        damage(path)
        with pytest.raises(ArtifactError) as error:
            load(repository)
        assert path.name in str(error.value) and "m2trec export" in str(error.value)
        path.write_bytes(content)
    load(repository)


def test_a_model_that_somebody_added_is_not_started(repository: Path) -> None:
    added = repository / "stranger" / "1" / "model.py"
    added.parent.mkdir(parents=True)
    added.touch()
    with pytest.raises(ArtifactError, match=r"stranger/1/model\.py changed since the export"):
        load(repository)
    shutil.rmtree(repository / "stranger")


def test_items_are_added_by_nothing_but_what_was_exported(repository: Path, tmp_path: Path) -> None:
    predict, preprocess = (
        version_folder(repository, name) for name in ("m2trec_predict", "m2trec_preprocess")
    )
    read = [
        predict / name for name in ("items.parquet", "item_format.json", "items.onnx", "history_residual.npy")
    ]
    read += [path for path in (preprocess / "items_workflow").rglob("*") if path.is_file()]
    raw_items().head(1).assign(item_id="new-1").to_parquet(table := tmp_path / "new.parquet")
    for path in read:
        content = path.read_bytes()
        alter(path)
        with pytest.raises(ArtifactError, match=rf"{path.name} changed since the export: run `m2trec export"):
            CatalogueVerbs(repository).add(table)
        path.write_bytes(content)
    assert CatalogueVerbs(repository).versions.all() == []
    assert CatalogueVerbs(repository).add(table).number == 1
