"""Where scripts of before the rooms were moved look for what reads filters; see `cli.asking`."""

from m2trec_merlin.cli.asking import parse_filters as parse_filters
