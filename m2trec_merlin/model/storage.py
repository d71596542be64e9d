"""Store a model as safetensors and JSON, and load it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import ValidationError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from m2trec_merlin.artifacts import atomic_write, fingerprint, read_json, reading
from m2trec_merlin.catalogue import VOCABULARIES, Catalogue
from m2trec_merlin.config import Config, restore_config
from m2trec_merlin.encoded import Field
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.model.m2trec import M2TRec, build_model

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"

#: Version of the meaning of the weights: raised when the code can no longer use models stored earlier.
FORMAT = 5

#: The parts of a catalogue that must not change, and how a message names a change in each.
_WORDS = {
    "training_items": "with more or fewer training items",
    "vocabularies": "with vocabularies of other sizes",
    "rows": "whose training items stand in other rows",
    "values": "whose vocabularies hold other values",
}


def save_model(model: M2TRec, directory: Path, config: Config, catalogue: Catalogue) -> None:
    """Write `model.safetensors` (weights) and `model.json` (what is needed to build the model again)."""
    save_weights(model, directory / WEIGHTS)
    description = {
        "format": FORMAT,
        "config": config.model_dump(mode="json"),
        "max_length": model.max_length,
        "widths": model.widths,
        "parameters": model.count_parameters(),
        "catalogue": _describe(catalogue),
    }
    if model.events:
        description["events"] = [field.to_json() for field in model.events]
        description["event_widths"] = model.event_widths
    atomic_write(directory / DESCRIPTION, json.dumps(description, indent=2))


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights of a model as safetensors, atomically."""
    atomic_write(path, save(weights_of(model)))


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights by name in the form that safetensors needs: detached, contiguous, in main memory."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}


def load_model(directory: Path, catalogue: Catalogue) -> M2TRec:
    """Load the model saved in `directory`, for use with a catalogue.

    The catalogue may have grown since training, but training items must have the same rows, and the
    vocabularies must be the same.

    Raises:
        ArtifactError: files are missing or damaged, or the catalogue does not fit the model.
    """
    description = _read_description(directory)
    if not (directory / WEIGHTS).is_file():
        raise ArtifactError(f"{directory / WEIGHTS} is missing: run `m2trec train` first")
    _require_same(description["catalogue"], _describe(catalogue), directory)
    model = build_model(
        _config_of(description, directory),
        catalogue,
        description["max_length"],
        description.get("widths"),
        [Field.from_json(each) for each in description.get("events", [])],
        description.get("event_widths"),
    )
    try:
        model.load_state_dict(load_file(directory / WEIGHTS))
    except Exception as error:
        raise ArtifactError(
            f"{directory / WEIGHTS} cannot be loaded ({error}): run `m2trec train --force`"
        ) from None
    return model.eval()


def saved_config(directory: Path) -> Config:
    """Return the configuration that a saved model was trained with.

    Raises:
        ArtifactError: there is no model that this code can read.
    """
    return _config_of(_read_description(directory), directory)


def _read_description(directory: Path) -> dict[str, Any]:
    content = read_json(directory / DESCRIPTION, "train")
    with reading(directory / DESCRIPTION, "train"):
        description: dict[str, Any] = {**content}
    if (found := description.get("format", 1)) != FORMAT:
        raise ArtifactError(
            f"the model in {directory} has format {found} and this code needs {FORMAT}: run `m2trec train`"
        )
    return description


def _config_of(description: dict[str, Any], directory: Path) -> Config:
    try:
        return restore_config(description["config"])
    except ValidationError as error:
        raise ArtifactError(
            f"{directory / DESCRIPTION} holds settings that this code does not take, such as "
            f"{'.'.join(map(str, error.errors()[0]['loc']))}: run `m2trec train --force`"
        ) from None


def _describe(catalogue: Catalogue) -> dict[str, Any]:
    """Return values that identify a catalogue, and that items added without training do not change."""
    trained = [str(item_id) for item_id in catalogue.item_ids[1 : catalogue.n_seen + 1]]
    return {
        "training_items": catalogue.n_seen,
        "vocabularies": {name: column.field.size for name, column in catalogue.attributes.items()},
        "rows": fingerprint(trained),
        "values": fingerprint(_vocabularies(catalogue)),
    }


def _vocabularies(catalogue: Catalogue) -> dict[str, Any]:
    """Return the content of each vocabulary, if the catalogue was read from a folder."""
    if catalogue.directory is None:
        return {}
    return {path.name: _content(path) for path in sorted((catalogue.directory / VOCABULARIES).iterdir())}


def _content(path: Path) -> Any:
    # Not the bytes of the file: they depend on the version of the library that wrote it.
    if path.suffix == ".json":
        return read_json(path, "preprocess")
    with reading(path, "preprocess"):
        return pq.read_table(path).to_pydict()


def _require_same(saved: dict[str, Any], found: dict[str, Any], directory: Path) -> None:
    for name, difference in _WORDS.items():
        if saved.get(name) != found[name]:
            raise ArtifactError(
                f"the model in {directory} was trained on another catalogue, {difference}: "
                "run `m2trec train --force`"
            )
