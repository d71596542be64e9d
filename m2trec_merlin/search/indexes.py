"""The indexes by name, as configurations and exported versions refer to them."""

from __future__ import annotations

from pathlib import Path

from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.search.candidates import Candidates, Index
from m2trec_merlin.search.exact import ExactIndex
from m2trec_merlin.search.ivf import IvfIndex
from m2trec_merlin.search.quantised import QuantisedIndex

#: The indexes by name, in the order in which `auto` tries them; the last one misses nothing. A new index is a
#: module of its own and a line here.
INDEXES: dict[str, Index] = {"ivf": IvfIndex(), "quantised": QuantisedIndex(), "exact": ExactIndex()}


def open_index(name: str, folder: Path) -> Candidates:
    """Open the candidates in a version folder with the named index.

    Raises:
        ArtifactError: there is no index of that name.
    """
    if name not in INDEXES:
        raise ArtifactError(f"{folder} wants the index '{name}'; this version knows {', '.join(INDEXES)}")
    return INDEXES[name].open(folder)
