"""The verb `export`: from a trained model to a Triton model repository."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from m2trec_merlin.artifacts import atomic_directory, atomic_write, write_manifest
from m2trec_merlin.attributes import ITEM_ID
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.encoded import FIRST_VALUE, Layout
from m2trec_merlin.model.m2trec import M2TRec
from m2trec_merlin.model.storage import load_model, run_as_trained
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs.folder import ITEMS_WORKFLOW, SESSIONS
from m2trec_merlin.serving.contract.checksums import FORMAT
from m2trec_merlin.serving.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.serving.encoded_items import Attribute
from m2trec_merlin.serving.export.graphs import export_items, export_scores, export_sessions
from m2trec_merlin.serving.export.item_columns import item_columns
from m2trec_merlin.serving.export.repository import (
    create_models,
    seal_models,
    version_folder,
)
from m2trec_merlin.serving.runtime import recommending, session_reading
from m2trec_merlin.sessions import Sessions

_ROWS_AT_A_TIME = 65_536
_KINDS = {
    Layout.IDS: "categorical",
    Layout.ID_LISTS: "text",
    Layout.NUMBERS: "numeric",
    Layout.VECTORS: "vector",
}


def export(config: Config, force: bool = False, progress: Progress = SILENT) -> Path:
    """Write `triton/`: the ensemble `m2trec` over `m2trec_preprocess` and `m2trec_predict`.

    Args:
        config: of the run; the model and its data are taken as the model was trained.
        force: export again although the result is current.
        progress: is told a line at each stage, and where the model was trained otherwise than configured.

    Returns:
        The model repository. It appears complete or not at all.

    Raises:
        ArtifactError: an earlier step has not run, or the exported graphs do not equal the model.
        MissingDependencyError: a package of the extra `serve` is missing.
    """
    run = run_as_trained(config, progress)
    target, inputs = run.triton, run.step("export").inputs(format=FORMAT)
    if not force and run.step("export").is_current(inputs):
        progress.say(f"{target} is up to date")
        return target
    started = time.perf_counter()
    catalogue = Catalogue.load(run.catalogue)
    model = load_model(run.model, catalogue)
    with atomic_directory(target) as repository:
        write_repository(run.config, model, catalogue, run.preprocessed, repository, progress)
        seconds = round(time.perf_counter() - started, 1)
        write_manifest(repository, "export", inputs, items=catalogue.n_rows - 1, seconds=seconds)
    progress.say(f"{target}: {catalogue.n_rows - 1:,} items, {seconds} seconds")
    return target


def write_repository(
    config: Config,
    model: M2TRec,
    catalogue: Catalogue,
    preprocessed: Path,
    repository: Path,
    progress: Progress,
) -> None:
    """Write the models of the ensemble into an empty folder.

    Args:
        config: attributes and defaults of the answers.
        model: trained, on the CPU.
        catalogue: that the model was trained on; read from a folder, with its display table.
        preprocessed: folder of the fitted items workflow and of the sessions.
        repository: the folder to write into.
        progress: is told a line at each stage.

    Raises:
        ArtifactError: the exported graphs do not equal the model.
    """
    model.eval()
    attributes = encoded_attributes(config, catalogue)
    categories = {name: catalogue.category_names(name)[FIRST_VALUE:] for name in model.next_attributes}
    create_models(repository, attributes, list(categories), catalogue.n_rows)
    workflow = preprocessed / ITEMS_WORKFLOW
    _write_preprocess(version_folder(repository, PREPROCESS), model, catalogue, attributes, workflow)
    predict = version_folder(repository, PREDICT)
    progress.say(f"encoding {catalogue.n_rows - 1:,} items")
    item_vectors = _write_vectors(predict, model, catalogue)
    progress.say("exporting the model to ONNX and comparing the two")
    export_sessions(model, item_vectors, predict / recommending.SESSION_GRAPH)
    if attributes:
        export_items(model, predict / recommending.ITEM_GRAPH)
    pq.write_table(item_columns(config, catalogue), predict / recommending.ITEMS)
    _write_json(predict / recommending.CATEGORIES, categories)
    if config.serving.neighbours:
        # Brings scikit-learn and pandas along, which an export without neighbours need not wait for.
        from m2trec_merlin.serving.runtime.neighbours import write_neighbours

        train = Sessions.load(preprocessed / SESSIONS / "train")
        write_neighbours(predict, catalogue, train, by_id=ITEM_ID in config.inputs)
    settings = {
        "top_k": config.serving.top_k,
        "top_categories": config.serving.top_categories,
        "new_items": bool(attributes),
        "new_item_boost": config.serving.new_item_boost,
        "neighbours": config.serving.neighbours,
    }
    _write_json(predict / recommending.SETTINGS, settings)
    seal_models(repository)


def encoded_attributes(config: Config, catalogue: Catalogue) -> list[Attribute]:
    """Return what a new item is encoded by; nothing if the model reads item ids, which it has none of."""
    if ITEM_ID in config.inputs:
        return []
    attributes = []
    for name in config.inputs:
        attribute = config.attribute(name)
        column = catalogue.attributes[name]
        size = column.field.size if column.field.layout is Layout.VECTORS else 0
        attributes.append(Attribute(name, _KINDS[column.field.layout], attribute.source_column, size))
    return attributes


def _write_preprocess(
    folder: Path, model: M2TRec, catalogue: Catalogue, attributes: list[Attribute], workflow: Path
) -> None:
    ids = pa.table({"item_id": pa.array([str(item_id) for item_id in catalogue.item_ids[1:]], pa.string())})
    pq.write_table(ids, folder / session_reading.ITEM_IDS)
    described = [{"name": a.name, "kind": a.kind, "column": a.column, "size": a.size} for a in attributes]
    settings = {"max_length": model.max_length, "attributes": described}
    _write_json(folder / session_reading.SETTINGS, settings)
    if attributes:
        shutil.copytree(workflow, folder / session_reading.ITEMS_WORKFLOW)


@torch.inference_mode()
def _write_vectors(folder: Path, model: M2TRec, catalogue: Catalogue) -> np.ndarray:
    """Write item vectors [N, I], candidate vectors [N, D] and biases [N]; return the first."""
    described, candidates, biases = [], [], []
    for rows in torch.arange(catalogue.n_rows).split(_ROWS_AT_A_TIME):
        items = model.encode_rows(rows)
        described.append(items.described)
        candidates.append(model.next_item_head.candidate_vectors(items, rows))
        biases.append(model.next_item_head.candidate_biases(items, rows))
    item_vectors = torch.cat(described).numpy()
    np.save(folder / recommending.ITEM_VECTORS, item_vectors)
    np.save(folder / recommending.CANDIDATE_VECTORS, torch.cat(candidates).numpy())
    biases_N = torch.cat(biases).numpy()
    biases_N[0] = -np.inf  # Row 0 is padding.
    np.save(folder / recommending.BIASES, biases_N)
    export_scores(folder / recommending.CANDIDATE_VECTORS, biases_N, folder / recommending.SCORE_GRAPH)
    if model.next_item_head.repeat_biases is not None:
        np.save(folder / recommending.REPEAT_BIASES, model.next_item_head.repeat_biases.numpy())
    return item_vectors


def _write_json(path: Path, content: Any) -> None:
    atomic_write(path, json.dumps(content, indent=2))
