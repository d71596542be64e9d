"""What all benchmarks and experiments are built on: parse, prepare, keep, publish, plot."""
