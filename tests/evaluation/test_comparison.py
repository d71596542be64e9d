from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from m2trec_merlin.baselines import BASELINES
from m2trec_merlin.config import Config
from m2trec_merlin.errors import ArtifactError, ConfigError, DataError, MissingDependencyError
from m2trec_merlin.evaluation.comparison import AnyScorer, compare
from m2trec_merlin.evaluation.known import Known
from m2trec_merlin.evaluation.measurements import Measurement
from m2trec_merlin.evaluation.protocol import Setup
from m2trec_merlin.sessions import Sessions
from tests.told import Told
from tests.worlds.checkerboard import ColourScorer, FunctionScorer, World, checkerboard


def make_config(**evaluation: Any) -> Config:
    return Config.model_validate(
        {
            "name": "checkerboard",
            "attributes": [{"name": "title", "kind": "text"}, {"name": "colour", "kind": "categorical"}],
            "model": {"next_attributes": [{"attribute": "colour"}]},
            "evaluation": {"ks": [1, 5], "bootstrap_samples": 20, **evaluation},
        }
    )


class Oracle(ColourScorer, FunctionScorer):
    """Ranks items of the colour of the last one first, and knows that the colour stays."""

    def __init__(self, world: World) -> None:
        ColourScorer.__init__(self, world.catalogue)
        FunctionScorer.__init__(self, self.judge, name="ours")

    def judge(self, prefix: list[int]) -> Sequence[float]:
        return [float(row % 2 == prefix[-1] % 2) * 100 - row for row in range(13)]


class Run:
    """The checkerboard, compared in a folder."""

    def __init__(self, folder: Path) -> None:
        self.world = checkerboard(folder / "catalogue")
        self.output = folder / "evaluation"
        self.history = folder / "history.json"
        self.history.write_text(json.dumps([{"epoch": 1, "loss": 2.0, "HIT@20": 0.5}]))
        self.built = 0
        self.told = Told()

    def scorers(self) -> list[AnyScorer]:
        self.built += 1
        return [Oracle(self.world)]

    def __call__(self, config: Config | None = None, **options: Any) -> list[Measurement]:
        setup = Setup(
            config or make_config(),
            self.world.catalogue,
            Known.training(self.world.catalogue, self.world.train),
            options.get("split", "test"),
            options.get("sessions", self.world.test),
            options.get("remarks", ()),
        )
        return compare(
            setup,
            self.output,
            options.get("scorers", self.scorers),
            inputs=options.get("inputs", {"model": "abc"}),
            history=self.history,
            force=options.get("force", False),
            progress=self.told,
        )

    def read(self, name: str) -> str:
        return (self.output / name).read_text(encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_all_models_are_measured_on_the_same_prefixes(run: Run) -> None:
    rows = run()
    hits = [m for m in rows if (m.slice, m.metric, m.k) == ("All", "HIT", 5)]
    assert [m.model for m in hits] == ["ours", "popularity", "Markov chain", "session kNN", "content kNN"]
    assert {m.n for m in hits} == {run.world.test.n_prefixes}
    value = {m.model: m.value for m in hits}
    assert value["session kNN"] == value["content kNN"] == 1.0
    assert value["popularity"] is not None and value["popularity"] < 1.0
    colours = [m.model for m in rows if (m.slice, m.metric, m.k) == ("All", "HIT[colour]", 1)]
    assert colours == ["ours", "top-N frequent", "top-N predicted (ours)"]


def test_everything_is_written(run: Run) -> None:
    rows = run()
    stored = json.loads(run.read("metrics.json"))
    assert [Measurement(**row) for row in stored] == rows
    keys = {"model", "data", "split", "slice", "metric", "k", "value", "low", "high", "n", "seed", "seconds"}
    assert keys <= set(stored[0])
    breakdown = json.loads(run.read("breakdowns.json"))["events in the prefix"]
    total = sum(r["n"] for r in breakdown if (r["model"], r["metric"], r["k"]) == ("ours", "HIT", 1))
    assert total == run.world.test.n_prefixes
    assert len(list((run.output / "plots").glob("*.svg"))) == 4
    assert "| session kNN |" in run.read("metrics.md")
    assert json.loads(run.read("manifest.json"))["step"] == "evaluate"


def test_the_report_explains_itself_and_needs_no_other_file(run: Run) -> None:
    run()
    report = run.read("report.html")
    assert report.count("<table>") == 6
    assert report.count("<img") == report.count('src="data:image/svg+xml;base64,') == 4
    assert "http" not in report
    for words in (
        "Split",
        "Filtering",
        "all catalogue items",
        "Ties",
        "Recall@K",
        "fewer than 10",
        "session kNN",
    ):
        assert words in report


def test_cut_offs_that_no_model_can_miss_are_told(run: Run) -> None:
    run(make_config(ks=[1, 2, 11, 12, 30]))
    of_items = "next item: K = 12, 30 takes in all 12 items, however they are ranked"
    of_colours = "next colour: K = 2, 11, 12, 30 takes in all 2 values, however they are ranked"
    assert f"{of_items} (evaluation.ks)" in run.told.lines and of_colours in run.told.text
    assert of_items in run.read("report.html") and of_items in run.read("metrics.md")
    run.told.lines.clear()
    run(make_config(ks=[1]))
    assert "takes in all" not in run.told.text


def test_scoring_is_told(run: Run) -> None:
    run(make_config(ks=[1]))
    names = [
        "ours",
        "popularity",
        "Markov chain",
        "session kNN",
        "content kNN",
        "top-N frequent",
        "top-N predicted (ours)",
    ]
    assert [line.partition(":")[0] for line in run.told.lines] == names
    assert [task.removeprefix("scoring with ") for task in run.told.tasks] == names
    total = run.world.test.n_prefixes
    assert {looks[-1][:2] for looks in run.told.tasks.values()} == {(total, total)}


def test_an_unchanged_comparison_is_not_repeated(run: Run) -> None:
    first = run()
    assert run() == first
    assert run.built == 1
    assert "is up to date" in run.told.text
    for name in ("report.html", "metrics.json"):
        (run.output / name).unlink()
        run()
        assert (run.output / name).is_file(), "what is said to be there is there"


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": {"model": "other"}},
        {"force": True},
        {"config": make_config(ks=[2])},
        {"split": "valid"},
    ],
)
def test_a_change_repeats_the_comparison(run: Run, change: dict[str, Any]) -> None:
    run()
    run(**change)
    assert run.built == 2


def test_a_failure_leaves_the_old_results(run: Run) -> None:
    run()
    before = run.read("metrics.json")

    def fail() -> list[AnyScorer]:
        raise RuntimeError("no model")

    with pytest.raises(RuntimeError, match="no model"):
        run(scorers=fail, force=True)
    assert run.read("metrics.json") == before
    assert [path.name for path in run.output.parent.iterdir() if path.name.startswith(".")] == []


def test_last_events_alone_are_scored_where_that_is_wanted(run: Run) -> None:
    last = run(make_config(prefixes="last"))
    assert {m.n for m in last if m.slice == "All" and m.metric == "HIT"} == {len(run.world.test)}
    assert "but its last event, which is the next item" in (run.output / "metrics.md").read_text()


def test_samples_are_limited_and_named(run: Run) -> None:
    rows = run(make_config(max_prefixes=7))
    assert {m.n for m in rows if (m.slice, m.metric) == ("All", "HIT")} == {7}
    assert "7 scored, a random sample of the" in run.read("report.html")


def test_baselines_can_be_chosen(run: Run) -> None:
    rows = run(make_config(baselines=["popularity"]))
    assert {m.model for m in rows if m.metric == "HIT"} == {"ours", "popularity"}


@pytest.mark.parametrize(
    "error", [DataError("content kNN", ["no title"]), MissingDependencyError("no title")]
)
def test_a_baseline_that_cannot_be_had_is_left_out_and_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setitem(BASELINES, "content_knn", refuse)
    rows = run()
    assert {m.model for m in rows if m.metric == "HIT"} == {
        "ours",
        "popularity",
        "Markov chain",
        "session kNN",
    }
    assert "content_knn is left out: no title" in run.told.lines
    run()
    again = "content_knn was left out (no title): `m2trec evaluate --force` tries again"
    assert run.told.lines[-1] == again, "what has been mended since is no secret of the first run"


def test_two_scorers_of_one_name_are_refused(run: Run) -> None:
    with pytest.raises(ConfigError, match=r"\['ours'\] occur more than once"):
        run(scorers=lambda: [Oracle(run.world), Oracle(run.world)])


def test_nothing_to_score_is_an_error(run: Run) -> None:
    with pytest.raises(ArtifactError, match="no session has two events"):
        run(sessions=Sessions.from_lists([[1], [2]]))


def test_what_a_reader_has_to_know_of_the_sessions_is_said_and_reported(run: Run) -> None:
    run(remarks=[("Trained on before", "3 were")], split="valid")
    assert run.told.lines[0] == "valid sessions: 3 were"
    assert "**Trained on before**: 3 were" in run.read("metrics.md")
