"""The model: item encoder, session encoder, tasks, and how they are put together and stored."""

from m2trec_merlin.merlin_adapter import prepare_merlin

prepare_merlin()
