"""The model: item encoder, session encoder, tasks, and code that composes and stores them."""

from m2trec_merlin.merlin_adapter import prepare_merlin

prepare_merlin()
