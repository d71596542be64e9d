"""Store a model as safetensors and JSON, and load it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save
from torch import Tensor, nn

from m2trec_merlin.artifacts import atomic_write, read_json
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.model.m2trec import M2TRec, build_model

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"

#: Of what the weights mean: raised when models that were stored before no longer fit the code.
FORMAT = 4


def save_model(model: M2TRec, directory: Path, config: Config, catalogue: Catalogue) -> None:
    """Write `model.safetensors` (weights) and `model.json` (what is needed to build the model again)."""
    save_weights(model, directory / WEIGHTS)
    description = {
        "format": FORMAT,
        "config": config.model_dump(mode="json"),
        "parameters": model.count_parameters(),
        "catalogue": _describe(catalogue),
    }
    atomic_write(directory / DESCRIPTION, json.dumps(description, indent=2))


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights of a model as safetensors, atomically."""
    atomic_write(path, save(weights_of(model)))


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights by name, as safetensors takes them: detached, contiguous, in main memory."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}


def load_model(directory: Path, catalogue: Catalogue) -> M2TRec:
    """Build the model that was saved in `directory` over a catalogue and load its weights.

    The catalogue may have grown since training, but training items must stand where they stood and
    vocabularies must be the same.

    Raises:
        ArtifactError: files are missing or damaged, or the catalogue does not fit the model.
    """
    description = read_json(directory / DESCRIPTION)
    if not (directory / WEIGHTS).is_file():
        raise ArtifactError(f"{directory / WEIGHTS} is missing: run `m2trec train` first")
    if (found := description.get("format", 1)) != FORMAT:
        raise ArtifactError(
            f"the model in {directory} has format {found} and this code needs {FORMAT}: run `m2trec train`"
        )
    _require_same(description["catalogue"], _describe(catalogue), directory)
    model = build_model(Config.model_validate(description["config"]), catalogue)
    try:
        model.load_state_dict(load_file(directory / WEIGHTS))
    except Exception as error:
        raise ArtifactError(
            f"{directory / WEIGHTS} cannot be loaded ({error}): run `m2trec train --force`"
        ) from None
    return model.eval()


def saved_config(directory: Path) -> Config:
    """Return the configuration that a saved model was trained with."""
    return Config.model_validate(read_json(directory / DESCRIPTION)["config"])


def _describe(catalogue: Catalogue) -> dict[str, Any]:
    return {
        "training_items": catalogue.n_seen,
        "vocabularies": {name: column.field.size for name, column in catalogue.attributes.items()},
    }


def _require_same(saved: dict[str, Any], found: dict[str, Any], directory: Path) -> None:
    if saved != found:
        raise ArtifactError(
            f"the model in {directory} was trained on another catalogue (then {saved}, now {found}): "
            "run `m2trec train --force`"
        )
