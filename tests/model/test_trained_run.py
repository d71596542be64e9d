"""A run is found by its folder, a link or its configuration, and is what its model was trained with."""

from __future__ import annotations

from pathlib import Path

import pytest

from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.model.m2trec import build_model
from m2trec_merlin.model.storage import save_model
from m2trec_merlin.model.trained_run import config_of_run, run_as_trained
from m2trec_merlin.progress import SILENT
from m2trec_merlin.runs import Run, RunFolder
from tests.worlds.encoded import tiny_catalogue, tiny_config


def trained(folder: Path, variant: str = "m2trec") -> Path:
    config, catalogue = tiny_config().with_variant(variant), tiny_catalogue()
    model = RunFolder(folder, folder).model
    model.mkdir(parents=True)
    save_model(build_model(config, catalogue), model, config, catalogue)
    return folder


def test_a_folder_or_a_link_is_what_its_model_was_trained_with(tmp_path: Path) -> None:
    folder = trained(tmp_path / "moved here")
    (tmp_path / "current").symlink_to(folder)
    for path in (folder, tmp_path / "current"):
        assert config_of_run(path) == tiny_config().model_copy(update={"work_dir": folder})


def test_the_folder_of_a_variant_stands_in_that_of_its_run(tmp_path: Path) -> None:
    variant = trained(tmp_path / "shop" / "variants" / "trec_id", "trec_id")
    assert config_of_run(variant).work_dir == tmp_path / "shop"


def test_a_variant_whose_folder_was_renamed_is_itself_and_no_other_one(tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "variants"
    trained(folder / "trec_id", "trec_id").rename(folder / "trec_id-old")
    trained(folder / "trec_id", "trec_id")
    for name in ("trec_id", "trec_id-old"):
        assert Run(config_of_run(folder / name)).model_directory == folder / name
    (folder / "trec_id-old").rename(folder / "trec_id_old")
    with pytest.raises(ArtifactError, match="its folder is variants/trec_id, or variants/trec_id-NAME"):
        config_of_run(folder / "trec_id_old")
    (folder / "trec_id").rename(tmp_path / "alone")
    with pytest.raises(ArtifactError, match="its folder is variants/trec_id, or"):
        config_of_run(tmp_path / "alone")


def test_a_link_that_leads_nowhere_says_where_it_led(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to("yesterday")
    with pytest.raises(
        ArtifactError, match="is a link to yesterday, which is not there: lead it to a trained"
    ):
        config_of_run(tmp_path / "current")


def test_what_is_no_trained_run_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no trained model: name the folder of a trained run"):
        config_of_run(tmp_path)
    with pytest.raises(ArtifactError, match=r"there is no .*current yet: .* `ln -s NAME_OF_THE_RUN "):
        config_of_run(tmp_path / "current")


def test_a_run_that_was_not_prepared_says_what_is_missing(tmp_path: Path) -> None:
    config = tiny_config().model_copy(update={"work_dir": tmp_path})
    with pytest.raises(ArtifactError, match="m2trec preprocess"):
        run_as_trained(config, SILENT)
