"""A first configuration for tables that nobody has described yet: the work of `m2trec init`."""
