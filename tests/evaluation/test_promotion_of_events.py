"""Runs whose events have attributes: continued on more data, and compared by other vocabularies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.data.preparation import prepare_data
from m2trec_merlin.errors import ArtifactError, ConfigError
from m2trec_merlin.evaluation.promotion import judge
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.model.storage import load_model
from m2trec_merlin.preprocessing.rereading import encode_with_run
from m2trec_merlin.preprocessing.run import preprocess
from m2trec_merlin.runs import Run
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.training.run import train
from m2trec_merlin.training.transformers4rec_trainer import build_transformers4rec_trainer
from tests.worlds.events import EVENT_ATTRIBUTES, events_config, make_events


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """Yesterday, and today, which goes on from it with more sessions and a type of event that is new."""
    found: list[Run] = []
    for name in ("yesterday", "today"):
        folder = tmp_path_factory.mktemp(name)
        events = make_events(40)
        if found:
            more = make_events(20, seed=1)
            more["session_id"] = "t" + more["session_id"]
            more["event"] = more["event"].replace("view", "a share")
            events = pd.concat([events, more], ignore_index=True)
        config = events_config(
            folder, events, training={"epochs": 1, "batch_size": 8, "precision": "float32"}
        )
        earlier = found[0] if found else None
        prepare_data(config)
        preprocess(config, earlier=earlier)
        train(config, earlier=earlier)
        write_manifest(folder / "run" / "triton", "export", {"mixture": {"kind": "off"}})
        found.append(Run(config))
    return found[0], found[1]


def values_of(run: Run, name: str) -> list[str]:
    return list(pd.read_parquet(run.events_workflow / "Categories" / f"{name}.parquet")[name])


def test_a_run_that_goes_on_extends_the_vocabularies_of_events(runs: tuple[Run, Run]) -> None:
    before, now = (values_of(run, "event_type") for run in runs)
    assert now == [*before, "a share"]
    model = load_model(runs[1].model, Catalogue.load(runs[1].catalogue))
    assert [f.size for f in model.events if f.name == "event_type"] == [len(now) + 3]


def test_events_are_encoded_again_for_the_other_model(runs: tuple[Run, Run]) -> None:
    yesterday, today = runs
    own = Sessions.load(today.sessions("valid"))
    again = encode_with_run(today, Catalogue.load(today.catalogue), "valid", yesterday)
    ids, others = own.attributes["event_type"].values, again["event_type"].values
    new = 3 + values_of(today, "event_type").index("a share")
    assert (ids == new).any() and (others[ids == new] == 2).all()
    np.testing.assert_array_equal(others[ids != new], ids[ids != new])
    # Moments of numbers move with the data.
    assert not np.allclose(again["paid"].values, own.attributes["paid"].values)
    assert np.corrcoef(again["paid"].values, own.attributes["paid"].values)[0, 1] > 0.999
    same = encode_with_run(today, Catalogue.load(today.catalogue), "valid", today)
    np.testing.assert_array_equal(same["paid"].values, own.attributes["paid"].values)


def test_gaps_are_those_between_the_events_whose_items_the_other_model_knows(
    runs: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    yesterday, today = runs
    own, catalogue = Sessions.load(today.sessions("valid")), Catalogue.load(today.catalogue)
    lacked = own.rows[1]

    class Fewer(Catalogue):
        def rows_of(self, item_ids: Sequence[object]) -> np.ndarray:
            is_lacked = np.array(item_ids) == catalogue.item_ids[lacked]
            return np.where(is_lacked, 0, super().rows_of(item_ids))

    before = encode_with_run(today, catalogue, "valid", yesterday)["gap"].values
    monkeypatch.setattr("m2trec_merlin.preprocessing.rereading.Catalogue", Fewer)
    after = encode_with_run(today, catalogue, "valid", yesterday)["gap"].values
    behind = np.flatnonzero(own.rows[:-1] == lacked) + 1
    behind = behind[~np.isin(behind, own.offsets) & (own.rows[behind] != lacked)]
    # From the event before the one that is lacked: longer, or missing where it was the first.
    was_first = np.isin(behind - 1, own.offsets)
    assert len(behind) and (after[behind][~was_first] > before[behind][~was_first]).all()
    assert (after[behind][was_first] == 0).all()
    others = np.setdiff1d(np.flatnonzero(own.rows != lacked), behind)
    np.testing.assert_array_equal(after[others], before[others])


def test_events_that_were_altered_are_not_compared_on(runs: tuple[Run, Run]) -> None:
    yesterday, today = runs
    part = today.data / "interactions" / "valid" / "part-00000.parquet"
    content = part.read_bytes()
    # The same table, written in another way.
    pd.read_parquet(part).to_parquet(part, compression="gzip")
    try:
        with pytest.raises(ArtifactError, match=f"{part} is altered: run `m2trec data --force`"):
            encode_with_run(today, Catalogue.load(today.catalogue), "valid", yesterday)
    finally:
        part.write_bytes(content)


def test_models_of_other_vocabularies_are_compared(runs: tuple[Run, Run]) -> None:
    verdict = judge(runs[1], runs[0])
    assert verdict.prefixes == Sessions.load(runs[1].sessions("valid")).n_prefixes
    assert 0 < verdict.current <= 1 and 0 < verdict.candidate <= 1


def test_a_model_that_reads_what_the_candidate_lacks_is_not_compared(runs: tuple[Run, Run]) -> None:
    fewer = [a for a in runs[1].config.event_attributes if a.name != "paid"]
    candidate = Run(runs[1].config.model_copy(update={"event_attributes": fewer}))
    with pytest.raises(ArtifactError, match=r"lacks or reads otherwise \(paid\)"):
        encode_with_run(candidate, Catalogue.load(candidate.catalogue), "valid", runs[0])


def test_runs_with_and_without_them_do_not_go_on_from_each_other(
    runs: tuple[Run, Run], tmp_path: Path
) -> None:
    config = events_config(tmp_path, make_events(40), event_attributes=[])
    prepare_data(config)
    with pytest.raises(ArtifactError, match="event_attributes are configured either here or in"):
        preprocess(config, earlier=runs[0])
    other = events_config(tmp_path, make_events(40), event_attributes=EVENT_ATTRIBUTES[:2])
    prepare_data(other)
    with pytest.raises(ArtifactError, match="was fitted to other attributes"):
        preprocess(other, earlier=runs[0])


def test_the_trainer_of_transformers4rec_refuses_them(runs: tuple[Run, Run], tmp_path: Path) -> None:
    run = runs[0]
    catalogue = Catalogue.load(run.catalogue)
    model = load_model(run.model, catalogue)
    folders = run.sessions("train"), run.sessions("valid"), tmp_path
    with pytest.raises(ConfigError, match=r"event_attributes and data\.targets are for `m2trec train`"):
        build_transformers4rec_trainer(model, catalogue, run.config.training, *folders, seed=1)
