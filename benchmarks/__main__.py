"""`python -m benchmarks NAME ...`: run a benchmark. Without NAME, list all benchmarks."""

import sys

from benchmarks.frame.commands import Member, program

MEMBERS = [
    Member("training", "how soon do we and other libraries reach the same quality?", "training.contest"),
    Member("training-step", "what do modes and precisions of our own cost a step?", "training_step"),
    Member("step-profile", "where does a step's time go, and what would the machine allow?", "step_profile"),
    Member("preprocessing", "how fast are the workflows beside pandas and polars?", "preprocessing"),
    Member("evaluation", "how fast is the whole catalogue ranked, in how much memory?", "evaluation"),
    Member("scale", "what do 0.1, 1 and 10 million sessions cost in time and memory?", "scale"),
    Member("gpu", "what does everything cost on a machine with a GPU and no network?", "gpu.session"),
    Member("gpu-kit", "what has to be brought to that machine?", "gpu.kit"),
    Member("serving", "how fast does the Triton ensemble answer?", "serving"),
    Member("indexes", "what does each index of candidates cost, and what does it find?", "indexes"),
    Member("enlarge", "an export with as many items as one likes, to be served", "enlarging"),
    Member("catalogue", "what does a catalogue that changes cost those who ask?", "catalogue"),
    Member("soak", "does a server hold under minutes of load, while items come?", "soak"),
    Member("library", "what do import, load and an answer cost in process?", "library"),
    Member("observing", "what do metrics and logs cost a request?", "observing"),
    Member("mixing", "what does the mixture with neighbours cost a request?", "mixing"),
]

if __name__ == "__main__":
    sys.exit(program("benchmarks", MEMBERS))
