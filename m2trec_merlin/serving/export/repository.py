"""The folders of a Triton model repository, with configurations made from templates in `triton_models/`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from m2trec_merlin.contract.checksums import seal
from m2trec_merlin.contract.names import (
    ENSEMBLE,
    EVENT_ATTRIBUTES,
    EVENTS,
    PREDICT,
    PREPROCESS,
    category_tensors,
)
from m2trec_merlin.contract.repository import FIRST_VERSION, version_folder

#: Most scores of a batch, which limits its memory to 64 MiB of float32.
_BATCH_SCORES = 2**24
_MAX_BATCH = 64
#: Placeholders of the templates that are filled in only if events have attributes.
_RAGGED = "data_type: TYPE_STRING dims: [ {} ] allow_ragged_batch: true"
_OF_EVENTS = {
    "event_input": f"""
  # A JSON object of attributes of the event per position; or empty.
  {{ name: "{EVENT_ATTRIBUTES}" data_type: TYPE_STRING dims: [ -1 ] optional: true }},""",
    "event_input_map": f"""
      input_map {{ key: "{EVENT_ATTRIBUTES}" value: "{EVENT_ATTRIBUTES}" }}""",
    "events_output_map": f"""
      output_map {{ key: "{EVENTS}" value: "{EVENTS}" }}""",
    "events_input_map": f"""
      input_map {{ key: "{EVENTS}" value: "{EVENTS}" }}""",
    "ragged_event_input": f"""
  {{ name: "{EVENT_ATTRIBUTES}" {_RAGGED.format(-1)} optional: true }},""",
    "events_output": f"""
  # Encoded attributes of these events as an NPZ file; empty if the request says none.
  {{ name: "{EVENTS}" data_type: TYPE_STRING dims: [ 1 ] }},""",
    "ragged_events_input": f"""
  {{ name: "{EVENTS}" {_RAGGED.format(1)} }},""",
}


def create_models(
    repository: Path,
    tasks: Sequence[str],
    n_rows: int,
    *,
    instances: int = 1,
    with_events: bool = False,
) -> None:
    """Write configurations and code of the three models into an empty folder.

    Args:
        repository: the folder.
        tasks: names of the predicted attributes.
        n_rows: number of catalogue rows, which limits the number of requests in a batch.
        instances: number of instances of the second step.
        with_events: whether requests may have attributes of events.
    """
    values = _placeholders(tasks) | {name: text if with_events else "" for name, text in _OF_EVENTS.items()}
    values["instances"] = str(instances)
    values["max_batch_size"] = str(max(1, min(_MAX_BATCH, _BATCH_SCORES // n_rows)))
    templates = files("m2trec_merlin.triton_models")
    for model in (ENSEMBLE, PREPROCESS, PREDICT):
        template = templates / model
        version = version_folder(repository, model)
        version.mkdir(parents=True)
        text = (template / "config.pbtxt").read_text(encoding="utf-8")
        (repository / model / "config.pbtxt").write_text(Template(text).substitute(values), encoding="utf-8")
        code = template / FIRST_VERSION / "model.py"
        if code.is_file():
            (version / "model.py").write_text(code.read_text(encoding="utf-8"), encoding="utf-8")


def seal_models(repository: Path) -> None:
    """Write the checksums of the two steps, after all their other files."""
    for model in (PREPROCESS, PREDICT):
        seal(version_folder(repository, model))


def _placeholders(tasks: Sequence[str]) -> dict[str, str]:
    types: dict[str, str] = {}
    for task in tasks:
        names, probabilities = category_tensors(task)
        types |= {names: "TYPE_STRING", probabilities: "TYPE_FP32"}
    return {
        "category_outputs": _lines(
            f'  {{ name: "{name}" data_type: {kind} dims: [ -1 ] }},' for name, kind in types.items()
        ),
        "category_output_maps": _lines(
            f'      output_map {{ key: "{name}" value: "{name}" }}' for name in types
        ),
    }


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"\n{line}" for line in lines)
