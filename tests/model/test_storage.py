import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.model.storage import load_model, save_model, saved_config
from m2trec_merlin.sessions import Sessions
from tests.worlds.encoded import permuted, tiny_catalogue, tiny_config

PREFIXES = Sessions.from_lists([[1, 2, 3, 4]]).prefixes()


def test_a_loaded_model_gives_the_same_scores(tmp_path: Path) -> None:
    torch.manual_seed(0)
    catalogue, config = tiny_catalogue(), tiny_config()
    model = build_model(config, catalogue)
    save_model(model, tmp_path, config, catalogue)
    loaded = load_model(tmp_path, catalogue)
    np.testing.assert_array_equal(ModelScorer(model).score(PREFIXES), ModelScorer(loaded).score(PREFIXES))
    assert saved_config(tmp_path) == config
    assert {p.suffix for p in tmp_path.iterdir()} == {".json", ".safetensors"}


def test_a_grown_catalogue_keeps_the_scores_of_its_old_items(tmp_path: Path) -> None:
    config, large = tiny_config(), tiny_catalogue(40, 24)
    small = permuted(large, np.arange(31))
    torch.manual_seed(0)
    model = build_model(config, small)
    save_model(model, tmp_path, config, small)
    grown = ModelScorer(load_model(tmp_path, large)).score(PREFIXES)
    assert grown.shape == (3, 41)
    np.testing.assert_allclose(grown[:, :31], ModelScorer(model).score(PREFIXES), rtol=1e-5, atol=1e-5)


def test_another_catalogue_is_refused(tmp_path: Path) -> None:
    config, catalogue = tiny_config(), tiny_catalogue()
    save_model(build_model(config, catalogue), tmp_path, config, catalogue)
    with pytest.raises(ArtifactError, match="trained on another catalogue"):
        load_model(tmp_path, tiny_catalogue(n_seen=20))


def test_a_catalogue_of_the_same_sizes_in_another_order_is_refused(tmp_path: Path) -> None:
    """What a new day's clicks do: popularity decides on the rows, and rows on whose residual is whose."""
    config, catalogue = tiny_config(), tiny_catalogue()
    save_model(build_model(config, catalogue), tmp_path, config, catalogue)
    other = permuted(catalogue, np.array([0, 2, 1, *range(3, catalogue.n_rows)]))
    with pytest.raises(ArtifactError, match="another catalogue, whose training items stand in other rows"):
        load_model(tmp_path, other)


def test_vocabularies_of_the_same_size_with_other_values_are_refused(tmp_path: Path) -> None:
    config = tiny_config()
    models = {}
    for name, values in {"then": ["a", "b"], "same": ["a", "b"], "now": ["b", "a"]}.items():
        folder = tmp_path / name / "vocabularies"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"value": values}), folder / "category.parquet")
        (folder / "title.json").write_text(json.dumps({"vocabulary": {"mug": 3}}))
        models[name] = dataclasses.replace(tiny_catalogue(), directory=tmp_path / name)
    save_model(build_model(config, models["then"]), tmp_path, config, models["then"])
    load_model(tmp_path, models["same"])
    with pytest.raises(ArtifactError, match="another catalogue, whose vocabularies hold other values"):
        load_model(tmp_path, models["now"])


def test_a_configuration_that_this_code_does_not_take_is_refused(tmp_path: Path) -> None:
    config, catalogue = tiny_config(), tiny_catalogue()
    save_model(build_model(config, catalogue), tmp_path, config, catalogue)
    description = json.loads((tmp_path / "model.json").read_text())
    description["config"]["model"]["wings"] = 2
    (tmp_path / "model.json").write_text(json.dumps(description))
    for read in (saved_config, lambda folder: load_model(folder, catalogue)):
        with pytest.raises(ArtifactError, match=r"does not take, such as model\.wings: run `m2trec train"):
            read(tmp_path)


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    config, catalogue = tiny_config(), tiny_catalogue()
    with pytest.raises(ArtifactError, match=r"model\.json is missing"):
        load_model(tmp_path, catalogue)
    save_model(build_model(config, catalogue), tmp_path, config, catalogue)
    (tmp_path / "model.safetensors").write_bytes(b"not a model")
    with pytest.raises(ArtifactError, match=r"model\.safetensors cannot be loaded"):
        load_model(tmp_path, catalogue)
    (tmp_path / "model.json").write_text("[1]")
    for read in (saved_config, lambda folder: load_model(folder, catalogue)):
        with pytest.raises(ArtifactError, match=r"model\.json is damaged .*: run `m2trec train --force`"):
            read(tmp_path)


def test_a_model_of_older_code_is_refused(tmp_path: Path) -> None:
    config, catalogue = tiny_config(), tiny_catalogue()
    save_model(build_model(config, catalogue), tmp_path, config, catalogue)
    description = json.loads((tmp_path / "model.json").read_text())
    del description["format"]
    (tmp_path / "model.json").write_text(json.dumps(description))
    with pytest.raises(ArtifactError, match=r"has format 1 and this code needs \d+: run `m2trec train`"):
        load_model(tmp_path, catalogue)
