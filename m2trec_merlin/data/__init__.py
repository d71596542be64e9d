"""Raw data: readers into the two canonical tables, validation, and splits."""

from m2trec_merlin.data.preparation import prepare_data, summarise_data
from m2trec_merlin.data.sources import Origin, Source, open_source
from m2trec_merlin.data.tables import SPLITS
from m2trec_merlin.data.validation import ValidData, validate

__all__ = [
    "SPLITS",
    "Origin",
    "Source",
    "ValidData",
    "open_source",
    "prepare_data",
    "summarise_data",
    "validate",
]
