"""Lengths told from padding, here and nowhere else."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from m2trec_merlin.model.transformers4rec_batches import read_batch
from m2trec_merlin.sessions import Sessions

SESSIONS = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=6), min_size=1, max_size=4)


def padded(sessions: list[list[int]], longest: int) -> dict[str, torch.Tensor]:
    return {"row": torch.tensor([s + [0] * (longest - len(s)) for s in sessions])}


def ragged(sessions: list[list[int]]) -> dict[str, torch.Tensor]:
    held = Sessions.from_lists(sessions)
    return {"row__values": torch.from_numpy(held.rows), "row__offsets": torch.from_numpy(held.offsets)}


def read(inputs: dict[str, torch.Tensor], max_length: int = 9) -> list[list[int]]:
    batch = read_batch(inputs, max_length)
    assert batch.longest == int(batch.lengths.max())
    return [rows.tolist() for rows in batch.rows.split(batch.lengths.tolist())]


@given(SESSIONS)
def test_ragged_lists_are_sessions_as_they_are(sessions: list[list[int]]) -> None:
    assert read(ragged(sessions)) == sessions


@given(SESSIONS, st.integers(6, 9))
def test_padding_shortens_no_session_that_ends_with_a_known_item(
    sessions: list[list[int]], longest: int
) -> None:
    sessions = [[*session, 1] for session in sessions]
    assert read(padded(sessions, longest + 1)) == sessions


def test_a_padded_session_of_unknown_items_alone_is_one_event() -> None:
    assert read(padded([[0, 0], [0, 3]], 4)) == [[0], [0, 3]]


@given(SESSIONS, st.integers(1, 5))
def test_longer_sessions_keep_their_last_events(sessions: list[list[int]], max_length: int) -> None:
    assert read(ragged(sessions), max_length) == [session[-max_length:] for session in sessions]


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_columns_of_one_number_and_other_integers_are_understood(dtype: torch.dtype) -> None:
    """Releases of the Merlin loader differ in the shape of flat values."""
    inputs = {name: values.to(dtype).unsqueeze(1) for name, values in ragged([[1, 2], [3]]).items()}
    assert read(inputs) == [[1, 2], [3]]
    assert read_batch(inputs, 9).rows.dtype == torch.int64
