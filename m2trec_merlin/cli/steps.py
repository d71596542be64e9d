"""Where scripts of before the rooms were moved look for what reads filters; see `cli.verbs`."""

from m2trec_merlin.cli.verbs import parse_filters as parse_filters
