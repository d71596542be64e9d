"""The settings that the result of each step depends on, by their names in manifests.

A step also depends on the results of earlier steps, and so on their settings. So each setting is listed only
for the first step that it matters to, and for later steps that read it themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from m2trec_merlin.config import Config
from m2trec_merlin.readers import PATHS

Settings = dict[str, Any]

#: The name in the manifest of `preprocess` for the length of sessions: as configured, and, among the counts
#: of training sessions, that which they were cut to.
LONGEST_SESSION = "max_session_length"

#: Full names of the settings that change only what a step costs: time, memory, disk. Its result is the same
#: but for the rounding of sums, so nothing is made again because of them.
ONLY_COST = frozenset(
    {
        "data.chunk_sessions",
        "preprocessing.device",
        "training.checkpoint_steps",
        "training.device",
        "training.logits_mib",
        "training.threads",
        "evaluation.block_prefixes",
        "evaluation.device",
    }
)
#: Paths of files do not change the canonical tables. Names of files are recorded separately, and their sizes
#: and times in the state of the source.
_NOT_IN_DATA = set(PATHS)
#: Trainings that continue from an earlier run record these settings themselves.
_NOT_IN_MODEL = {"continued"}


def of_data(config: Config) -> Settings:
    """Return the settings that the canonical tables depend on."""
    # The step adds the seed itself: trainings with several seeds may share one draw of the data.
    return {
        # A later step cuts sessions to this length.
        "data": _data_of(config, {*_NOT_IN_DATA, "max_session_length"}),
        **({"files": files} if (files := _files(config)) else {}),
        "attributes": [attribute.reading_settings() for attribute in config.attributes],
        # Interactions name the columns after the attributes.
        **_of_events([{"name": a.name, **a.reading_settings()} for a in config.event_attributes]),
        # The table keeps the column unchanged, even if attributes read it.
        "title_column": config.serving.title_column,
    }


def _data_of(config: Config, exclude: Set[str]) -> Settings:
    # Included only if set, so that results older than these settings stay current.
    absent = {name for name in ("targets", "listed", "keep") if not getattr(config.data, name, None)}
    return config.data.model_dump(mode="json", exclude={*exclude, *absent})


def _files(config: Config) -> Settings:
    """Return the names of the source's files, without their folders, which do not change the data."""
    paths = config.data.model_dump(mode="json", include=set(PATHS), exclude_none=True)
    return {name: Path(path).absolute().name for name, path in paths.items()}


def _of_events(attributes: Any) -> Settings:
    return {"event_attributes": attributes} if attributes else {}


def of_preprocess(config: Config) -> Settings:
    """Return the settings that the catalogue and the sessions of its rows depend on."""
    return {
        "attributes": [attribute.preprocessing_settings() for attribute in config.attributes],
        **_of_events([attribute.preprocessing_settings() for attribute in config.event_attributes]),
        "min_session_length": config.data.min_session_length,
        LONGEST_SESSION: config.data.max_session_length,
        "title_column": config.serving.title_column,
    }


def of_train(config: Config) -> Settings:
    """Return the settings that the weights of the model depend on."""
    return {
        "attributes": [a.model_dump(mode="json") for a in config.attributes],
        **_of_events([a.model_dump(mode="json") for a in config.event_attributes]),
        "model": config.model.model_dump(mode="json"),
        "training": config.training.model_dump(mode="json", exclude=_NOT_IN_MODEL),
        "seed": config.seed,
        # Validation chooses the epoch that is kept.
        **config.evaluation.model_dump(include={"prefixes", "exclude_session_items"}, exclude_defaults=True),
    }


def of_tune(config: Config) -> Settings:
    """Return the settings that the choice of a mixture depends on."""
    return {
        "mixture": config.serving.mixture.model_dump(mode="json"),
        "sparse_below": config.evaluation.sparse_below,
        "prefixes": config.evaluation.prefixes,
        "exclude_session_items": config.evaluation.exclude_session_items,
        **_titles(config),
        "seed": config.seed,
    }


def _titles(config: Config) -> Settings:
    # Words of titles are a view of the mixture, and all that the content baseline uses.
    return {} if config.serving.title_column is None else {"title_column": config.serving.title_column}


def of_evaluate(config: Config) -> Settings:
    """Return the settings that the measurements depend on."""
    return {
        "evaluation": config.evaluation.model_dump(mode="json"),
        "categories": config.model.predicted_attributes,
        "mixture": config.serving.mixture.model_dump(mode="json"),
        **({"new_item_boost": boost} if (boost := config.serving.new_item_boost) else {}),
        **_titles(config),
        "name": config.name,
        "seed": config.seed,
    }


def of_export(config: Config) -> Settings:
    """Return the settings that are baked into the model repository."""
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
    """Return all settings that a model depends on, named as in the configuration file; attributes by name."""
    attributes = {attribute.name: attribute.model_dump(mode="json") for attribute in config.attributes}
    of_events = {attribute.name: attribute.model_dump(mode="json") for attribute in config.event_attributes}
    made = {
        "seed": config.seed,
        "data": {**_data_of(config, _NOT_IN_DATA), **_files(config)},
        "attributes": {"names": list(attributes), **attributes},
        **_of_events({"names": list(of_events), **of_events} if of_events else {}),
        "model": config.model.model_dump(mode="json"),
        "training": config.training.model_dump(mode="json", exclude=_NOT_IN_MODEL),
    }
    return without_costs(made)


def without_costs(settings: Settings, full_name: Callable[[str], str] = str, within: str = "") -> Settings:
    """Return nested settings without those that change only what a step costs.

    Args:
        settings: settings by their names in a manifest, or in the configuration file.
        full_name: function that returns the full name in the configuration file of a dotted name.
        within: the dotted name of what holds them, with a dot behind it.
    """
    return {
        name: without_costs(value, full_name, f"{within}{name}.") if isinstance(value, dict) else value
        for name, value in settings.items()
        if full_name(f"{within}{name}") not in ONLY_COST
    }


def differences(then: Any, now: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted name and both values of each setting that differs; None stands for a missing one."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*then, *now]):
            yield from differences(then.get(key), now.get(key), f"{name}.{key}" if name else key)
    elif then != now:
        yield name, then, now
