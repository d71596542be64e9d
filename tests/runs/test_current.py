from __future__ import annotations

from pathlib import Path

import pytest

from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.runs.current import lead_to, link_over
from m2trec_merlin.runs.folder import RunFolder
from m2trec_merlin.runs.locks import lock


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    return tmp_path / "runs"


def test_a_link_is_made_and_changed(runs: Path) -> None:
    link = link_over(runs / "a")
    assert link == runs / "current"
    lead_to(link, runs / "a")
    assert link.readlink() == Path("a") and link_over(runs / "a") == link == link_over(link)
    lead_to(link, runs / "b")
    assert link.resolve() == runs / "b"
    assert {path.name for path in runs.iterdir()} == {"a", "b", "current"}
    moved = runs.rename(runs.with_name("moved"))
    assert (moved / "current").resolve() == moved / "b"


def test_what_stands_in_the_way_stays(runs: Path) -> None:
    lead_to(runs / "current", runs / "a")
    with pytest.raises(
        ArtifactError, match=r"current leads to .*/a, not to .*/b: compare with .*current itself"
    ):
        link_over(runs / "b")
    (runs / "current").unlink()
    (runs / "current").mkdir()
    with pytest.raises(ArtifactError, match="current is no link"):
        link_over(runs / "a")


def test_the_link_to_a_variant_lies_where_that_to_its_run_does(runs: Path) -> None:
    variant = runs / "a" / "variants" / "m2trec_id"
    variant.mkdir(parents=True)
    link = link_over(variant)
    assert link == link_over(runs / "a") == runs / "current"
    lead_to(link, variant)
    assert link_over(variant) == link
    (variant.parent / "current").symlink_to(variant)
    assert [found.variant for found in RunFolder.at(runs / "a").variants()] == ["m2trec_id"]


def test_two_at_once_are_told(runs: Path) -> None:
    with lock(runs / "current"), pytest.raises(ArtifactError, match="another process is at work"):
        lead_to(runs / "current", runs / "a")
