"""How many events of a session are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from m2trec_merlin.data.session_length import MANIFEST_NAME, length_for_most_events, longest_session
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.manifests import write_manifest
from tests.worlds.encoded import tiny_config


def histogram(lengths: dict[int, int]) -> np.ndarray:
    counts = np.zeros(max(lengths) + 1, np.int64)
    for length, sessions in lengths.items():
        counts[length] = sessions
    return counts


@pytest.mark.parametrize(
    ("lengths", "kept"),
    [
        ({5: 10}, 5),  # nothing is cut while that costs nothing
        ({4: 99, 8: 1}, 4),  # 400 of 404 events, which is 99.01 %
        ({4: 98, 8: 2}, 6),  # 400 of 408 are too few, 404 are enough
        ({2: 9, 1000: 9}, 200),  # whatever the share
    ],
)
def test_golden_lengths(lengths: dict[int, int], kept: int) -> None:
    assert length_for_most_events(histogram(lengths), least=2) == kept


def test_no_session_that_counts_is_cut_below_the_shortest() -> None:
    assert length_for_most_events(histogram({300: 4}), least=300) == 300


def test_what_is_configured_comes_before_what_the_data_suggest(tmp_path: Path) -> None:
    write_manifest(tmp_path, "data", {}, **{MANIFEST_NAME: 37})
    assert longest_session(tiny_config(), tmp_path) == 6
    assert longest_session(tiny_config(data={"max_session_length": None}), tmp_path) == 37


def test_data_of_an_earlier_version_are_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path, "data", {})
    with pytest.raises(ArtifactError, match="earlier version: run `m2trec data --force`"):
        longest_session(tiny_config(data={"max_session_length": None}), tmp_path)
