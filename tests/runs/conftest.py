from pathlib import Path

import pytest

from m2trec_merlin.runs import VERBS, Run
from tests.runs.folders import configure, do


@pytest.fixture
def done(tmp_path: Path) -> Path:
    """The folder of a run of which every step is done."""
    run = Run(configure(tmp_path))
    for verb in VERBS:
        do(run, verb)
    return tmp_path
