from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from m2trec_merlin.cli.app import app
from m2trec_merlin.config.serving import FixedMixture
from m2trec_merlin.contract import checksums
from m2trec_merlin.contract.checksums import seal
from m2trec_merlin.errors import ArtifactError, ConfigError
from m2trec_merlin.evaluation.metrics import MetricAt
from m2trec_merlin.evaluation.outcomes import ItemRanks, Outcome
from m2trec_merlin.evaluation.promotion import judge, open_run, translate, weigh
from m2trec_merlin.evaluation.served import WithoutUnknown
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.model.storage import save_model
from m2trec_merlin.runs import Run
from m2trec_merlin.sessions import Prefixes, Sessions
from tests.worlds.checkerboard import checkerboard
from tests.worlds.rewritten import as_if_written
from tests.worlds.shop import N_ITEMS, Shop, build_shop, offline_scores

HIT = MetricAt.parse("HIT@1")


def outcome(sessions: Sessions, ranks: list[int]) -> Outcome:
    nothing = np.zeros((len(ranks), 1), np.int32)
    items = ItemRanks(np.array(ranks), nothing, np.ones(len(ranks), np.int32))
    return Outcome("", "", sessions.prefixes(), (1,), items)


def test_differences_are_paired_by_session() -> None:
    sessions = Sessions.from_lists([[1, 2, 3]] * 40)
    # Alone each model varies much, from session to session; together they always differ by the same.
    good = outcome(sessions, [1, 1, 1, 9] * 20)
    poor = outcome(sessions, [1, 9, 9, 9] * 20)
    verdict = weigh(good, poor, HIT, samples=200, seed=0)
    assert (verdict.candidate, verdict.current, verdict.prefixes) == (0.75, 0.25, 80)
    assert (verdict.difference, verdict.low, verdict.high) == (0.5, 0.5, 0.5) and verdict.takes_over
    back = weigh(poor, good, HIT, samples=200, seed=0)
    assert (back.difference, back.high) == (-0.5, -0.5) and not back.takes_over


def test_better_by_chance_is_not_better() -> None:
    sessions = Sessions.from_lists([[1, 2]] * 40)
    once = weigh(outcome(sessions, [1] + [9] * 39), outcome(sessions, [9] * 40), HIT, 500, 0)
    assert once.difference == 1 / 40 and once.low == 0 and not once.takes_over
    same = weigh(outcome(sessions, [1] * 40), outcome(sessions, [1] * 40), HIT, 500, 0)
    assert same.difference == 0 and not same.takes_over


def test_few_sessions_decide_nothing() -> None:
    """All of them alike, they have an interval without a width."""
    few, enough = (Sessions.from_lists([[1, 2]] * count) for count in (19, 20))
    verdict = weigh(outcome(few, [1] * 19), outcome(few, [9] * 19), HIT, 100, 0)
    assert verdict.low == 1 and verdict.is_of_few and not verdict.takes_over
    verdict = weigh(outcome(enough, [1] * 20), outcome(enough, [9] * 20), HIT, 100, 0)
    assert verdict.sessions == 20 and verdict.takes_over


def test_sessions_are_read_in_the_rows_of_another_catalogue(tmp_path: Path) -> None:
    ours = checkerboard(tmp_path)
    theirs = checkerboard(tmp_path, np.array([7, 12, 1, 9, 4, 11, 2, 8, 5, 3, 10, 6]))
    translated = translate(ours.test, ours.catalogue, theirs.catalogue)
    assert (translated.rows == theirs.test.rows).all() and (translated.rows != ours.test.rows).any()
    assert (translate(translated, theirs.catalogue, ours.catalogue).rows == ours.test.rows).all()
    some = Sessions.from_lists([[0, 1, 12]])
    smaller = checkerboard(tmp_path).catalogue
    object.__setattr__(smaller, "item_ids", smaller.item_ids[:12])
    assert translate(some, ours.catalogue, smaller).rows.tolist() == [0, 1, 0]


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shop]:
    """Two shops of other weights, new and old, trained and exported as far as anyone can see."""
    folder, found = tmp_path_factory.mktemp("runs"), {}
    for number, name in enumerate(("new", "old")):
        config, catalogue, model = build_shop(folder / name)
        torch.manual_seed(number)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.5)
        save_model(model, folder / name / "model", config, catalogue)
        as_if_written(folder / name / "model")
        write_manifest(folder / name / "triton", "export", {"mixture": {"kind": "off"}})
        seal(folder / name / "triton")
        found[name] = Shop(config, catalogue, model, folder)
    return found


def expected(shop: Shop) -> list[int]:
    """The row that a shop's model ranks first after each of its items alone."""
    return [int(offline_scores(shop, [str(i)])[0].argmax()) for i in shop.catalogue.item_ids[1:]]


@pytest.fixture(scope="module")
def runs(shops: dict[str, Shop]) -> Path:
    """The next item is the one that new expects in test sessions, and old in validation ones."""
    for shop in shops.values():
        for split, right in (("test", "new"), ("valid", "old")):
            sessions = [[row, following] for row, following in enumerate(expected(shops[right]), 1)]
            ids = [f"{split}{number}" for number in range(len(sessions))]
            table = pa.table({"session_id": ids, "row": pa.array(sessions, pa.list_(pa.int64()))})
            folder = Run(shop.config).sessions(split)
            folder.mkdir(exist_ok=True)
            pq.write_table(table, folder / "part-00000.parquet")
        as_if_written(Run(shop.config).preprocessed)
    return shops["new"].config.directory.parent


def test_models_are_measured_on_test_sessions(runs: Path, shops: dict[str, Shop]) -> None:
    verdict = judge(open_run(runs / "new"), open_run(runs / "old"), "HIT@1")
    new, old = (np.array(expected(shops[name])) for name in ("new", "old"))
    hits = (new == old).sum()
    assert hits < N_ITEMS / 2
    assert (verdict.metric, verdict.candidate, verdict.prefixes, verdict.unknown) == ("HIT@1", 1, N_ITEMS, 0)
    assert verdict.current == pytest.approx(hits / N_ITEMS)
    assert verdict.difference == pytest.approx(1 - hits / N_ITEMS)
    assert 0 < verdict.low < verdict.difference < verdict.high and verdict.takes_over
    chosen_on = judge(open_run(runs / "new"), open_run(runs / "old"), "HIT@1", split="valid")
    assert (chosen_on.candidate, chosen_on.current) == (verdict.current, 1) and not chosen_on.takes_over


class Counted:
    """Scores items by how often a prefix holds them; nothing may be unknown to it."""

    name, candidates = "counted", "all"

    def score(self, prefixes: Prefixes) -> np.ndarray:
        held = [np.bincount(prefixes.items(i), minlength=4) for i in range(len(prefixes))]
        assert all(counts[0] == 0 and counts.sum() for counts in held)
        return np.array(held, np.float32)


def test_what_a_catalogue_lacks_is_left_out_as_a_server_does(tmp_path: Path) -> None:
    catalogue = checkerboard(tmp_path).catalogue
    sessions = Sessions.from_lists([[2, 0, 2, 0], [0, 0, 3], [1, 3]])
    scores = WithoutUnknown(Counted(), replace(catalogue, train_counts=np.array([0, 5, 7, 0]))).score(
        sessions.prefixes()
    )
    most_frequent = [-np.inf, 5, 7, 0]
    assert scores.tolist() == [
        [0, 0, 1, 0],
        [0, 0, 1, 0],
        [0, 0, 2, 0],
        most_frequent,
        most_frequent,
        [0, 1, 0, 0],
    ]


def test_a_run_is_measured_as_it_was_exported(runs: Path) -> None:
    manifest = runs / "new" / "triton" / "manifest.json"
    before = manifest.read_text()
    weights = {"by_id": 3.0, "by_metadata": 0.0, "content": 0.0, "rare_content": 1.5, "rare": 0.5}
    write_manifest(manifest.parent, "export", {"mixture": {"kind": "tuned"}, "top_k": 7}, weights=weights)
    serving = open_run(runs / "new").config.serving
    expected = FixedMixture(**weights)
    assert (serving.mixture, serving.top_k) == (expected, 7)
    manifest.write_text(before)


def promote(*words: object) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["promote", *map(str, words), "--metric", "HIT@1", "--json"])
    return result.exit_code, json.loads(result.stdout) if result.stdout else {}


def test_only_a_better_one_becomes_current(runs: Path) -> None:
    link = runs / "current"
    code, said = promote(runs / "old", "--over", runs / "new")
    assert (code, said["promoted"]) == (3, False) and said["high"] < 0
    assert not link.is_symlink()
    code, said = promote(runs / "new", "--over", runs / "old")
    assert (code, said["promoted"], said["link"]) == (0, True, str(link))
    assert link.readlink() == Path("new")
    code, said = promote(runs / "old", "--over", link)
    assert (code, said["promoted"]) == (3, False) and link.readlink() == Path("new")
    link.unlink()
    link.symlink_to("old")
    assert promote(runs / "new", "--over", link)[0] == 0 and link.readlink() == Path("new")
    assert {path.name for path in runs.iterdir()} == {"new", "old", "current"}
    # Worse by all that it can be: a margin of that much lets it take over all the same.
    code, said = promote(runs / "old", "--over", link, "--margin", "1")
    assert (code, said["promoted"], said["margin"]) == (0, True, 1) and link.readlink() == Path("old")
    link.unlink()


def test_what_no_server_would_read_does_not_become_current(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksums, "FORMAT", checksums.FORMAT + 1)
    words = ["promote", str(runs / "new"), "--over", str(runs / "old"), "--metric", "HIT@1"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1 and isinstance(result.exception, ArtifactError)
    assert "new/triton is in format" in str(result.exception) and "export again" in str(result.exception)
    assert not (runs / "current").is_symlink()


def test_a_table_says_by_how_much(runs: Path) -> None:
    words = ["promote", str(runs / "old"), "--over", str(runs / "new"), "--metric", "HIT@1"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 3
    assert "HIT@1 of the candidate" in result.stdout and "95 % interval" in result.stdout
    assert f"no better for certain: {runs / 'new'} stays as it was" in result.stdout.replace("\n", " ")


def test_what_cannot_be_compared_is_named(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"holds no trained model: name the folder of a trained run"):
        open_run(tmp_path)
    with pytest.raises(
        ArtifactError, match=r"no .*/current yet: it is a link, .* `ln -s NAME_OF_THE_RUN .*/current`"
    ):
        open_run(tmp_path / "current")
    result = CliRunner().invoke(app, ["promote", str(runs / "new"), "--over", str(runs / "new")])
    assert isinstance(result.exception, ArtifactError) and "already" in str(result.exception)
    manifest = (runs / "new" / "triton" / "manifest.json").read_text()
    write_manifest(
        runs / "new" / "triton", "export", {"mixture": {"kind": "off"}, "model": {"model.json": "other"}}
    )
    with pytest.raises(ArtifactError, match=r"was made before the model was trained: run `m2trec export`"):
        open_run(runs / "new")
    old = open_run(runs / "old")
    with pytest.raises(ConfigError, match=f"any model finds all of {N_ITEMS} items: take a smaller cut-off"):
        judge(old, old, f"HIT@{N_ITEMS}")
    (runs / "new" / "triton" / "manifest.json").write_text(manifest)
    [part] = old.sessions("test").iterdir()
    some = pq.read_table(part)
    pq.write_table(some.slice(0, 0), part)
    as_if_written(old.preprocessed)
    with pytest.raises(ArtifactError, match=r"sessions/test holds no sessions: data.split has to"):
        judge(old, old)
    pq.write_table(some, part)
    as_if_written(old.preprocessed)
