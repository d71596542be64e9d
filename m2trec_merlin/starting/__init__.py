"""Draft a configuration for tables without one: the work of `m2trec init`."""
