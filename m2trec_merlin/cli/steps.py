"""The former home of `parse_filters`, kept for old scripts; see `cli.asking`."""

from m2trec_merlin.cli.asking import parse_filters as parse_filters
