"""Runs used from another program, without a server; what `import m2trec_merlin` offers stands here."""
