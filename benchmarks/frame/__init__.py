"""The common parts of all benchmarks and experiments: parse, prepare, keep, publish, plot."""
