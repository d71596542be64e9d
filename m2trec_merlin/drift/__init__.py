"""Compare new data with the data that a model was trained on."""

from m2trec_merlin.merlin_adapter import prepare_merlin

prepare_merlin()
