"""Whether a result is what a step wrote, file by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.manifests import is_current, require_unaltered, write_manifest
from m2trec_merlin.runs.folder import PARTS


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A finished folder: two parts of a table, weights, and a page for people."""
    folder = tmp_path / "model"
    (folder / "train").mkdir(parents=True)
    for name in ("train/part-00000.parquet", "train/part-00001.parquet", "weights", "report.html"):
        (folder / name).write_text(name)
    write_manifest(folder, "train", {"seed": 1})
    return folder


@pytest.mark.parametrize("name", ["train/part-00001.parquet", "weights"])
def test_files_that_are_gone_or_altered_are_named_and_made_again(written: Path, name: str) -> None:
    require_unaltered(written, "train", PARTS)
    size = (written / name).stat().st_size
    (written / name).write_text("x" * size)
    remedy = r"run `m2trec train --force` to make it anew"
    with pytest.raises(ArtifactError, match=rf"{name} is altered: {remedy}"):
        require_unaltered(written, "train", PARTS)
    assert not is_current(written, {"seed": 1}), "a step makes it anew"
    (written / name).unlink()
    with pytest.raises(ArtifactError, match=rf"{name} is missing: {remedy}"):
        require_unaltered(written, "train", PARTS)
    assert not is_current(written, {"seed": 1})


def test_parts_that_nobody_wrote_are_not_read(written: Path) -> None:
    (written / "notes.txt").write_text("mine")
    (written / "checkpoints").mkdir()
    (written / "checkpoints" / "part-00000.parquet").write_text("of a training that was killed")
    require_unaltered(written, "train", PARTS)
    for name in ("part-00002.parquet", "other.parquet"):
        (written / "train" / name).write_text("of another run")
        with pytest.raises(ArtifactError, match=rf"{name} was added"):
            require_unaltered(written, "train", PARTS)
        (written / "train" / name).unlink()


def test_a_page_that_is_gone_is_made_again_but_missed_by_no_later_step(written: Path) -> None:
    (written / "report.html").write_text("with a remark of mine")
    assert is_current(written, {"seed": 1})
    (written / "report.html").unlink()
    require_unaltered(written, "train", PARTS)
    assert not is_current(written, {"seed": 1}), "the step would name a page that is not there"
