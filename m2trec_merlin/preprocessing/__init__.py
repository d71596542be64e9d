"""What runs the two workflows: parts, cluster, files of the catalogue, scripts."""

from m2trec_merlin.merlin_adapter import prepare_merlin

prepare_merlin()
