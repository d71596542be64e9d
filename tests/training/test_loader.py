from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.training.loader import SessionLoader, _Files
from m2trec_merlin.training.processes import Processes
from tests.frames import keyhole
from tests.worlds.encoded import tiny_sessions, write_sessions

#: One chunk that stays in memory, or several that are read one after the other.
BOUNDS = [None, 15]


def loader(
    tmp_path: Path, sessions: Sessions, bound: int | None = None, processes: Processes | None = None
) -> SessionLoader:
    folder = tmp_path / "train"
    if not folder.exists():
        write_sessions(folder, sessions, files=4)
    return SessionLoader(
        folder, batch_size=8, seed=3, processes=processes or Processes(), sessions_at_a_time=bound
    )


def sessions_of(batches: list[SessionBatch]) -> list[list[int]]:
    return [rows.tolist() for batch in batches for rows in batch.rows.split(batch.lengths.tolist())]


@pytest.mark.parametrize("bound", BOUNDS)
class TestOrder:
    def test_every_session_comes_once_an_epoch(self, tmp_path: Path, bound: int | None) -> None:
        sessions = tiny_sessions(count=41)
        tested = loader(tmp_path, sessions, bound)
        batches = list(tested.batches(epoch=0))
        assert len(batches) == len(tested) == (7 if bound else 6), "each chunk ends with a short batch"
        expected = [sessions[i].tolist() for i in range(41)]
        assert sorted(sessions_of(batches)) == sorted(expected)
        assert sessions_of(batches) != expected, "shuffled"

    def test_seed_and_epoch_decide_the_order(self, tmp_path: Path, bound: int | None) -> None:
        tested = loader(tmp_path, tiny_sessions(), bound)
        first, again, next_epoch = (sessions_of(list(tested.batches(e))) for e in (0, 0, 1))
        assert first == again
        assert first != next_epoch

    @pytest.mark.parametrize("skip", [0, 1, 2, 4, 6])
    def test_skipping_leaves_out_the_first_batches(
        self, tmp_path: Path, bound: int | None, skip: int
    ) -> None:
        tested = loader(tmp_path, tiny_sessions(), bound)
        assert sessions_of(list(tested.batches(1, skip))) == sessions_of(list(tested.batches(1))[skip:])

    def test_processes_share_the_batches_of_one(self, tmp_path: Path, bound: int | None) -> None:
        sessions = tiny_sessions(count=42)
        tested = [loader(tmp_path, sessions, bound, Processes(rank, 2)) for rank in range(2)]
        batches = [list(one.batches(0)) for one in tested]
        assert len(batches[0]) == len(batches[1]) == len(tested[0])
        together = sessions_of(batches[0]) + sessions_of(batches[1])
        assert sorted(together) == sorted(sessions[i].tolist() for i in range(42))
        for number, (one, other) in enumerate(zip(*batches, strict=True)):
            joint = SessionLoader(tmp_path / "train", 16, seed=3, sessions_at_a_time=bound)
            whole = list(joint.batches(0))[number]
            assert sessions_of([whole])[::2] == sessions_of([one])
            assert sessions_of([whole])[1::2] == sessions_of([other])


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("marked", [False, True], ids=["all", "marked"])
def test_weights_decide_how_often_a_session_comes(tmp_path: Path, bound: int | None, marked: bool) -> None:
    """Eleven sessions a file; those at even places come twice, the others never."""
    sessions = Sessions.from_lists([[n + 1, n + 1] for n in range(44)])
    if marked:
        # Sessions at places 0 and 1 of a file have no targets, and are left out.
        sessions = replace(sessions, is_target=np.repeat(np.arange(44) % 11 > 1, 2))
    write_sessions(tmp_path, sessions, files=4)
    weights = {f"part-{part:05d}.parquet": 1.0 - np.arange(11) % 2 for part in range(4)}
    tested = SessionLoader(tmp_path, 8, seed=3, sessions_at_a_time=bound, weights=weights)
    drawn = [rows[0] - 1 for rows in sessions_of(list(tested.batches(epoch=0)))]
    assert len(drawn) == (36 if marked else 44)
    counts = np.bincount(drawn, minlength=44).reshape(4, 11)
    assert (counts[:, 1::2] == 0).all()
    assert (counts[:, 0] == 0).all() if marked else (counts[:, 0] > 0).all()
    assert set(counts[:, 2::2].flat) <= {1, 2}


def test_batches_are_as_long_as_their_longest_session_and_hold_no_padding(tmp_path: Path) -> None:
    tested = loader(tmp_path, Sessions.from_lists([[1, 2], [3, 4, 5], [6, 7], [8, 9]]))
    (batch,) = tested.batches(0)
    assert (len(batch), batch.longest) == (4, 3)
    assert batch.rows.dtype == batch.lengths.dtype == torch.int64
    assert sorted(batch.rows.tolist()) == list(range(1, 10))
    assert sorted(sessions_of([batch])) == [[1, 2], [3, 4, 5], [6, 7], [8, 9]]


def test_how_many_events_a_batch_holds_is_known_before_it_is_read(tmp_path: Path) -> None:
    """41 sessions in four files of several lengths, batches of 8."""
    sessions = tiny_sessions(count=41)
    tested = loader(tmp_path, sessions)
    assert tested.events_a_batch == 8 * len(sessions.rows) // 41
    for file in (tmp_path / "train").iterdir():
        file.unlink()
    assert loader(tmp_path / "other", Sessions.from_lists([[1, 2], [3, 4, 5, 6]])).events_a_batch == 6


def test_no_process_is_left_without_a_session(tmp_path: Path) -> None:
    """17 sessions in joint batches of 16: the last one would be for one process alone."""
    tested = loader(tmp_path, tiny_sessions(count=17), processes=Processes(0, 2))
    assert [len(batch) for batch in tested.batches(0)] == [8]


def test_chunks_are_read_when_they_are_needed(tmp_path: Path) -> None:
    tested = loader(tmp_path, tiny_sessions(), bound=10)
    batches = tested.batches(0)
    next(batches)
    for file in (tmp_path / "train").iterdir():
        file.unlink()
    with pytest.raises(ArtifactError, match=r"part-\d+\.parquet is missing: run `m2trec preprocess --force`"):
        list(batches)


def test_no_sessions_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="train holds no training sessions"):
        loader(tmp_path, Sessions.from_lists([]))


def test_cudf_reads_the_same_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = sessions_of(list(loader(tmp_path, tiny_sessions()).batches(epoch=1)))
    with keyhole.installed() as frames:
        monkeypatch.setattr(_Files, "read", lambda files, device: files.read_by(frames, device))
        batches = list(loader(tmp_path, tiny_sessions()).batches(epoch=1))
    assert sessions_of(batches) == expected
    assert (
        {batch.rows.dtype for batch in batches} == {batch.lengths.dtype for batch in batches} == {torch.int64}
    )
