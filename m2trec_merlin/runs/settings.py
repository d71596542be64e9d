"""What of a configuration the result of each step depends on, by the names that manifests give it.

Results of earlier steps depend on their settings in turn, so each setting stands where it first matters; the
exceptions are settings that a step reads itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from m2trec_merlin.config import Config
from m2trec_merlin.readers import PATHS

Settings = dict[str, Any]

#: What does not change the canonical tables: the size of chunks, and where files are, as their names stand
#: apart, and sizes and times in the state of the source.
_NOT_IN_DATA = {"chunk_sessions", *PATHS}
#: What changes how fast a model is trained, not which; and what only matters where training goes on from
#: an earlier run, whose manifest tells it.
_NOT_IN_MODEL = {"device", "threads", "checkpoint_steps", "continued"}


def of_data(config: Config) -> Settings:
    """Return what the canonical tables depend on."""
    # The seed is left to the step itself: trainings with several seeds may share one draw of the data.
    return {
        # Sessions are cut to their longest by a later step.
        "data": _data_of(config, {*_NOT_IN_DATA, "max_session_length"}),
        **({"files": files} if (files := _files(config)) else {}),
        "attributes": [attribute.reading_settings() for attribute in config.attributes],
        # Interactions hold their columns by the names of the attributes.
        **_of_events([{"name": a.name, **a.reading_settings()} for a in config.event_attributes]),
        # The table keeps the column as it is, whatever attributes read of it.
        "title_column": config.serving.title_column,
    }


def _data_of(config: Config, exclude: Set[str]) -> Settings:
    # Named only where they say something: results of before they existed stay current.
    absent = {name for name in ("targets", "listed") if getattr(config.data, name) is None}
    return config.data.model_dump(mode="json", exclude={*exclude, *absent})


def _files(config: Config) -> Settings:
    """Return what the files of the source are called: where they lie does not change them."""
    paths = config.data.model_dump(mode="json", include=set(PATHS), exclude_none=True)
    return {name: Path(path).absolute().name for name, path in paths.items()}


def places_of_data(config: Config) -> dict[str, list[Any]]:
    """Return where the tables are, as seen from the folder of the run, and their bytes; those that are there.

    A run is moved with its tables or without, and tables grow. What lies elsewhere *and* has another size is
    another table, such as that of the next day.
    """
    paths = {name: getattr(config.data, name, None) for name in dict.fromkeys(PATHS)}
    return {
        name: [os.path.relpath(path.resolve(), config.directory.resolve()), _bytes_of(path)]
        for name, path in paths.items()
        if path is not None and path.exists()
    }


def _bytes_of(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _of_events(attributes: Any) -> Settings:
    return {"event_attributes": attributes} if attributes else {}


def of_preprocess(config: Config) -> Settings:
    """Return what the catalogue and the sessions of its rows depend on."""
    return {
        "attributes": [attribute.preprocessing_settings() for attribute in config.attributes],
        **_of_events([attribute.preprocessing_settings() for attribute in config.event_attributes]),
        "min_session_length": config.data.min_session_length,
        "max_session_length": config.data.max_session_length,
        "title_column": config.serving.title_column,
    }


def of_train(config: Config) -> Settings:
    """Return what the weights depend on."""
    return {
        "attributes": [a.model_dump(mode="json") for a in config.attributes],
        **_of_events([a.model_dump(mode="json") for a in config.event_attributes]),
        "model": config.model.model_dump(mode="json"),
        "training": config.training.model_dump(mode="json", exclude=_NOT_IN_MODEL),
        "seed": config.seed,
        # Validation decides which epoch is kept.
        **config.evaluation.model_dump(include={"prefixes", "exclude_session_items"}, exclude_defaults=True),
    }


def of_tune(config: Config) -> Settings:
    """Return what the choice of a mixture depends on."""
    return {
        "mixture": config.serving.mixture.model_dump(mode="json"),
        "sparse_below": config.evaluation.sparse_below,
        "prefixes": config.evaluation.prefixes,
        "exclude_session_items": config.evaluation.exclude_session_items,
        **_titles(config),
        "seed": config.seed,
    }


def _titles(config: Config) -> Settings:
    # Words of titles count beside the model, and in the baseline that knows nothing else.
    return {} if config.serving.title_column is None else {"title_column": config.serving.title_column}


def of_evaluate(config: Config) -> Settings:
    """Return what the measurements depend on."""
    return {
        "evaluation": config.evaluation.model_dump(mode="json", exclude={"device"}),
        "categories": [task.attribute for task in config.model.next_attributes],
        "mixture": config.serving.mixture.model_dump(mode="json"),
        **({"new_item_boost": boost} if (boost := config.serving.new_item_boost) else {}),
        **_titles(config),
        "name": config.name,
        "seed": config.seed,
    }


def of_export(config: Config) -> Settings:
    """Return what was baked into the model repository."""
    return {
        "top_k": config.serving.top_k,
        "top_categories": config.serving.top_categories,
        "new_item_boost": config.serving.new_item_boost,
        "mixture": config.serving.mixture.model_dump(mode="json"),
        "index": config.serving.index,
        "instances": config.serving.instances,
        "title_column": config.serving.title_column,
    }


def made_of(config: Config) -> Settings:
    """Return all that a model is made of, as the configuration file calls it; attributes by name."""
    attributes = {attribute.name: attribute.model_dump(mode="json") for attribute in config.attributes}
    of_events = {attribute.name: attribute.model_dump(mode="json") for attribute in config.event_attributes}
    return {
        "seed": config.seed,
        "data": {**_data_of(config, _NOT_IN_DATA), **_files(config)},
        "attributes": {"names": list(attributes), **attributes},
        **_of_events({"names": list(of_events), **of_events} if of_events else {}),
        "model": config.model.model_dump(mode="json"),
        "training": config.training.model_dump(mode="json", exclude=_NOT_IN_MODEL),
    }


def differences(then: Any, now: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted name and both values of each setting that differs; None is one that is not there."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*then, *now]):
            yield from differences(then.get(key), now.get(key), f"{name}.{key}" if name else key)
    elif then != now:
        yield name, then, now
