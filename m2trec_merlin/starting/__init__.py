"""A first configuration for two tables that nobody has described yet: the work of `m2trec init`."""
