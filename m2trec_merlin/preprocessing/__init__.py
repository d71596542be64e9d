"""Run the two workflows: in parts, on a cluster if asked to, and write the catalogue and the sessions."""

from m2trec_merlin.merlin_adapter import prepare_merlin

prepare_merlin()
