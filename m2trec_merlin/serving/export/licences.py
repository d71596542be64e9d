"""The parts of an exported model, what they were made of, and their licences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any, TypeVar

from m2trec_merlin.attributes import AnyAttribute, Attribute
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.config import Config
from m2trec_merlin.contract.version import EVENTS_WORKFLOW, ITEMS_WORKFLOW
from m2trec_merlin.search.indexes import INDEXES

_Fact = TypeVar("_Fact")

_OF_THE_DATA = "depends on that of the data"
_CLASSIFIER = "License :: OSI Approved :: "
UNKNOWN = "not told by the package"
#: Packages that serving a mixture needs; scikit-learn is needed only before, to fit its views.
_OF_A_MIXTURE = ("scipy", "numba", "pandas", "tokenizers", "pydantic", "PyYAML")


@dataclass(frozen=True)
class Part:
    """A part of a model repository.

    Attributes:
        files: paths in the model repository.
        made_of: what it contains, or was learned from.
        licence: licence of that, as far as it is known.
    """

    files: str
    made_of: str
    licence: str


def licence_of(package: str) -> str:
    """Return the licence in the metadata of an installed package, in one line."""
    try:
        told = metadata(package)
    except PackageNotFoundError:
        return f"{package} is not installed here"
    for expression in told.get_all("License-Expression") or []:
        return str(expression)
    for classifier in told.get_all("Classifier") or []:
        if classifier.startswith(_CLASSIFIER):
            return str(classifier).removeprefix(_CLASSIFIER)
    # Some packages put the whole text of the licence there.
    lines = "\n".join(told.get_all("License") or []).splitlines()
    return lines[0] if len(lines) == 1 else UNKNOWN


def licence_of_data(source: Any) -> str:
    """Return the licence of the raw data, if they come from a package.

    Args:
        source: entry on the source in the settings of the data's manifest.
    """
    if isinstance(source, dict) and "package" in source:
        return f"{licence_of(source['package'])} (the package {source['package']})"
    return "not known here: whoever owns the raw tables decides"


def parts_of(config: Config) -> Iterator[Part]:
    """Yield the parts of a run's model repository."""
    yield Part("`*/config.pbtxt`, `*/1/model.py`", "code of m2trec-merlin", licence_of("m2trec-merlin"))
    yield Part("`m2trec_predict/1/*.onnx`, `*.npy`", "weights learned from the data", _OF_THE_DATA)
    yield Part("`m2trec_predict/1/items.parquet`", "ids, titles and filter columns of items", _OF_THE_DATA)
    for folder, values_of, attributes in (
        (ITEMS_WORKFLOW, "items", _of_items(config)),
        (EVENTS_WORKFLOW, "events", config.event_attributes),
    ):
        if attributes:
            learned = _names_by(attributes, lambda attribute: attribute.learns)
            more = [f"; {what} of {', '.join(names)}, trained on these" for what, names in learned.items()]
            made_of = "".join([f"values of the {values_of}", *more])
            yield Part(f"`m2trec_preprocess/1/{folder}/`", made_of, _OF_THE_DATA)
    if config.serving.is_mixed:
        made_of = "sessions of training and validation as lists of catalogue rows, without users and times"
        yield Part("`m2trec_predict/1/neighbour_*`", made_of, _OF_THE_DATA)
    for by, names in _names_by(_read(config), lambda attribute: attribute.pretrained).items():
        yield Part(
            "`m2trec_predict/1/item_vectors.npy`",
            f"vectors of {', '.join(names)} by {by.name} (its weights are not inside)",
            f"{licence_of(by.package)} (the package {by.package})",
        )


def packages_of(config: Config, index: str) -> list[str]:
    """Return the packages that serving the model imports, in order of importance.

    Args:
        config: configuration of the run.
        index: name of the index that candidates are searched with, not "auto".
    """
    packages = ["m2trec-merlin", "numpy", "onnxruntime", "pyarrow", *INDEXES[index].packages]
    if encoded := [*_of_items(config), *config.event_attributes]:
        packages += ["nvtabular", "pandas"]
        packages += [package for attribute in encoded for package in attribute.packages]
    packages += _OF_A_MIXTURE if config.serving.is_mixed else ()
    return list(dict.fromkeys(packages))


def _read(config: Config) -> list[AnyAttribute]:
    """Return the attributes of items that the model reads."""
    return [attribute for attribute in config.attributes if attribute.name in config.inputs]


def _of_items(config: Config) -> list[AnyAttribute]:
    """Return the attributes of items that are encoded when serving: none if the model reads item ids."""
    return [] if ITEM_ID in config.inputs else _read(config)


def _names_by(
    attributes: Sequence[Attribute], fact: Callable[[Attribute], _Fact | None]
) -> dict[_Fact, list[str]]:
    """Group the names of attributes by a fact about them; attributes without the fact are left out."""
    names: dict[_Fact, list[str]] = {}
    for attribute in attributes:
        if said := fact(attribute):
            names.setdefault(said, []).append(attribute.name)
    return names
