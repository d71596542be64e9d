"""`python -m experiments NAME ...` runs an experiment on quality; without NAME, it lists the experiments."""

import sys

from benchmarks.frame.commands import Member, program

MEMBERS = [
    Member("paper", "how do all variants and baselines of the paper compare?", "paper.bench"),
    Member("cold", "how well are items recommended that training never saw?", "cold"),
    Member("popularity", "how well do metadata tell how popular an item will be?", "popularity"),
    Member("rolling", "does a model that goes on every day keep up with one from scratch?", "rolling"),
]

if __name__ == "__main__":
    sys.exit(program("experiments", MEMBERS))
