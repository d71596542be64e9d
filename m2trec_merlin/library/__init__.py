"""Runs used from another program, without a server: the functions that `import m2trec_merlin` offers."""
