"""Validate raw data, split the sessions, and write the two canonical tables."""

from m2trec_merlin.data.preparation import prepare_data, summarise_data
from m2trec_merlin.data.validation import ValidData, validate
from m2trec_merlin.readers.canonical import SPLITS

__all__ = ["SPLITS", "ValidData", "prepare_data", "summarise_data", "validate"]
