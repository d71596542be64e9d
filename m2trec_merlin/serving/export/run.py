"""The verb `export`: from a trained model to a Triton model repository."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from m2trec_merlin.artifacts import atomic_directory, atomic_write, fingerprint
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.config import Config
from m2trec_merlin.contract.checksums import FORMAT, seal
from m2trec_merlin.contract.identity import export_version
from m2trec_merlin.contract.item_format import ItemFormat
from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.repository import version_folder
from m2trec_merlin.contract.version import (
    BIASES,
    CANDIDATE_VECTORS,
    CATALOGUE_IDS,
    CATEGORIES,
    EVENTS_WORKFLOW,
    ITEM_VECTORS,
    ITEMS,
    ITEMS_WORKFLOW,
    REPEAT_BIASES,
    SESSION_GRAPH,
)
from m2trec_merlin.encoded import FIRST_VALUE, NO_ITEM
from m2trec_merlin.evaluation.known import known_before
from m2trec_merlin.evaluation.tuning.chosen import mixture_weights
from m2trec_merlin.evaluation.tuning.run import tune
from m2trec_merlin.manifests import require_manifest, write_manifest
from m2trec_merlin.model.m2trec import M2TRec
from m2trec_merlin.model.scoring import encode_catalogue
from m2trec_merlin.model.storage import load_model
from m2trec_merlin.model.trained_run import run_as_trained
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import Run
from m2trec_merlin.serving.catalogue.raw_items import write_items_as_given
from m2trec_merlin.serving.catalogue.run import carry_over
from m2trec_merlin.serving.export.card import MODEL_CARD, write_card
from m2trec_merlin.serving.export.description import describe, describe_items
from m2trec_merlin.serving.export.graphs import export_items, export_sessions
from m2trec_merlin.serving.export.index import draw_sample, write_index
from m2trec_merlin.serving.export.item_columns import item_columns
from m2trec_merlin.serving.export.neighbours import write_neighbours
from m2trec_merlin.serving.export.repository import create_models, seal_models
from m2trec_merlin.serving.runtime.answering.neighbours import ExportedNeighbours
from m2trec_merlin.serving.runtime.catalogue.graph import CatalogueEncoder
from m2trec_merlin.tracking import recordings
from m2trec_merlin.version import __version__


def export(config: Config, force: bool = False, progress: Progress = SILENT) -> Path:
    """Write `triton/`: the ensemble `m2trec` over `m2trec_preprocess` and `m2trec_predict`.

    Args:
        config: configuration of the run; for model and data, those of the training are used instead.
        force: whether to export again even if the result is current.
        progress: listener for a line at each stage, and for settings that differ from the training.

    Returns:
        The model repository. It appears complete or not at all.

    Raises:
        ArtifactError: an earlier step has not run, the exported graphs differ from the model, nothing can be
            written there, or another process is at work there.
        MissingDependencyError: a package of the extra `serve`, or one that `tracking` needs, is missing.
    """
    recorded = recordings(config, progress)
    tune(config, progress=progress)
    with Run(config).step("export").locked():
        run = run_as_trained(config, progress)
        folder = _export(run, force, progress)
        for recording in recorded:
            recording.exported(run)
    return folder


def _export(run: Run, force: bool, progress: Progress) -> Path:
    target, inputs = run.triton, run.step("export").inputs(format=FORMAT, version=__version__)
    if not force and run.step("export").is_current(inputs):
        progress.say(f"{target} is up to date")
        return target
    started = time.perf_counter()
    catalogue = Catalogue.load(run.catalogue)
    model = load_model(run.model, catalogue)
    with atomic_directory(target) as repository:
        found = write_repository(run, model, catalogue, repository, progress)
        seconds = round(time.perf_counter() - started, 1)
        write_manifest(repository, "export", inputs, items=catalogue.n_rows - 1, seconds=seconds, **found)
        seal(repository)
        carry_over(target, repository, progress)
    progress.say(f"{target}: {catalogue.n_rows - 1:,} items, {seconds} seconds")
    return target


def write_repository(
    run: Run, model: M2TRec, catalogue: Catalogue, repository: Path, progress: Progress
) -> dict[str, Any]:
    """Write the models of the ensemble, and the card beside them, into an empty folder.

    Args:
        run: the run as the model was trained; it also gives the defaults of answers.
        model: the trained model, on the CPU.
        catalogue: the catalogue of the training, read from a folder, with its display table.
        repository: the folder to write into.
        progress: listener for a line at each stage.

    Returns:
        The name of the `index`, the share of the best items that it finds (`recall_at_20`), the `weights` of
        the mixture, and the fingerprint of the export (`version`).

    Raises:
        ArtifactError: the exported graphs differ from the model.
    """
    model.eval()
    trained = fingerprint(require_manifest(run.model, "train")["sha256"])
    weights = mixture_weights(run)
    mixture = {} if weights is None else dict(weights)
    version = replace(describe(run, model, catalogue, mixture), model=trained)
    item_format = describe_items(run.config, version, catalogue)
    known = known_before(run, catalogue)
    categories = {name: catalogue.category_names(name)[FIRST_VALUE:] for name in model.next_attributes}
    create_models(
        repository,
        list(categories),
        catalogue.n_rows,
        instances=run.config.serving.instances,
        with_events=bool(version.events),
    )
    preprocess, predict = (version_folder(repository, name) for name in (PREPROCESS, PREDICT))
    items = item_columns(run.config, catalogue)
    pq.write_table(items.select([ITEM_ID]), preprocess / CATALOGUE_IDS)
    if version.attributes:
        shutil.copytree(run.items_workflow, preprocess / ITEMS_WORKFLOW)
    if version.events:
        shutil.copytree(run.events_workflow, preprocess / EVENTS_WORKFLOW)
    progress.say("exporting the model to ONNX and comparing the two")
    item_format.write(predict)
    if version.attributes:
        export_items(model, predict)
    if not item_format.unchangeable:
        _write_raw_items(run, item_format, predict, progress)
    item_vectors = _write_vectors(predict, model, catalogue, run.config.inputs, item_format)
    export_sessions(model, item_vectors, predict / SESSION_GRAPH)
    pq.write_table(items, predict / ITEMS)
    atomic_write(predict / CATEGORIES, json.dumps(categories, indent=2))
    lifts = None
    if weights is not None:
        write_neighbours(predict, catalogue, known, weights)
        lifts = ExportedNeighbours(predict, mixture).at_export()
    sample = draw_sample(model, item_vectors, known.sessions, lifts)
    index, recall = write_index(version.index, predict, sample, progress)
    for folder in (preprocess, predict):
        replace(version, index=index).write(folder)
    seal_models(repository)
    found = {
        "index": index,
        "recall_at_20": round(recall, 6),
        "weights": mixture,
        "version": export_version(repository),
    }
    atomic_write(repository / MODEL_CARD, write_card(run, catalogue.n_rows - 1, found))
    return found


def _write_raw_items(run: Run, item_format: ItemFormat, folder: Path, progress: Progress) -> None:
    if not run.items.is_file():
        progress.say(
            f"{run.items} is not there, so the export holds no raw values: `m2trec catalog update` will take "
            "whole items alone"
        )
        return
    if (data := run.step("data")).found() is not None:
        data.require_unaltered(run.items.name)
    write_items_as_given(run.items, item_format, folder)


def _write_vectors(
    folder: Path, model: M2TRec, catalogue: Catalogue, inputs: Sequence[str], written: ItemFormat
) -> np.ndarray:
    """Write item vectors [R, I], candidate vectors [R, D] and biases [R]; return the first."""
    if not written.unchangeable:
        # With the exported graph, so that an item gets the same bits whether it is exported or added later.
        items = {name: catalogue.attributes[name] for name in inputs}
        encoder = CatalogueEncoder(folder)
        item_vectors, candidates, biases = encoder.encode(items, np.arange(catalogue.n_rows))
    else:
        encoded = encode_catalogue(model)
        made = encoded.items.described, encoded.vectors, encoded.biases
        item_vectors, candidates, biases = (each.numpy() for each in made)
    biases[NO_ITEM] = -np.inf
    np.save(folder / ITEM_VECTORS, item_vectors)
    np.save(folder / CANDIDATE_VECTORS, candidates)
    np.save(folder / BIASES, biases)
    if model.next_item_head.repeat_biases is not None:
        np.save(folder / REPEAT_BIASES, model.next_item_head.repeat_biases.detach().numpy())
    return item_vectors
