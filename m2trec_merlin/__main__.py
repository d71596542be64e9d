"""`python -m m2trec_merlin` is `m2trec`: what `torchrun -m m2trec_merlin train` starts."""

from m2trec_merlin.cli.app import main

main()
