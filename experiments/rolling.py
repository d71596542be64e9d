"""Does a model whose training continues every day keep up with one trained from scratch every day?

    python -m experiments rolling --days 5 --window 30 --until 2017-12-16

The rolling protocol of session recommendation: train up to a day, evaluate on the next day, move on by a day.
Each day, two models are trained on the same sessions, one after the other: from scratch, and from the
continued model of the day before (`m2trec train --from`). Each has its own preprocessing, which counts in its
time. The first day is from scratch only. The continued model of the day before is evaluated, too: it shows
the gain of a day's training.

Sessions belong to the day of their first event. A twentieth of the sessions of each day, by a hash of the id,
is for validation and never trained on.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from shutil import copytree

import numpy as np
import pandas as pd

from benchmarks.frame.parse import Parser, read
from benchmarks.frame.publish import Stamp, publish, table
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import ITEM_ID, POSITION, SESSION_ID, SPLIT, TIMESTAMP
from m2trec_merlin.config import Config
from m2trec_merlin.data.preparation import prepare_data
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.evaluation.bootstrap import session_intervals
from m2trec_merlin.evaluation.metrics import MetricAt
from m2trec_merlin.evaluation.promotion import translate, weigh
from m2trec_merlin.evaluation.ranking import evaluate, scored_prefixes
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.model.storage import load_model
from m2trec_merlin.preprocessing.run import preprocess
from m2trec_merlin.readers.positions import order_keys, parse_positions
from m2trec_merlin.readers.tables import TablesData
from m2trec_merlin.readers.times import parse_instants, parse_timestamps
from m2trec_merlin.runs import Run
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.training.run import train

METRICS = ("HIT@20", "MRR@20")
SCRATCH, CONTINUED, BEFORE = "from scratch", "continued", "of the day before"
#: One session in this many is for validation.
_VALIDATION = 20


def options(parser: Parser) -> None:
    parser.add_config("configs/complete_journey.yaml")
    parser.add_argument("--days", type=int, default=5, help="days that are evaluated")
    parser.add_argument("--window", type=int, default=30, help="days that are trained on")
    parser.add_argument(
        "--until", type=date.fromisoformat, help="last day that is evaluated; default: of all"
    )


def run(options: Namespace) -> None:
    config = read(options)
    lines = list(measure(Days.read(config, options.until, options.days, options.window), config))
    print(publish_lines(lines, config, options.output, options.stamp, options.window))


@dataclass(frozen=True)
class Days:
    """Events by the day of their session.

    Attributes:
        items: the raw items.
        events: session_id, item_id and position, with the day of the session (counted so that `last` is day
            `count`), and whether it is for validation.
        count: number of days to evaluate on.
        window: number of days to train on.
        last: the last day.
    """

    items: pd.DataFrame
    events: pd.DataFrame
    count: int
    window: int
    last: pd.Timestamp

    @classmethod
    def read(cls, config: Config, until: date | None, count: int, window: int) -> Days:
        """Read the events of a source that has times.

        Raises:
            ConfigError: the source has no times or too few days, or a setting is not supported here.
        """
        told = {
            "event_attributes": config.event_attributes,
            "data.targets": config.data.targets,
            "data.cold_item_share": config.data.cold_item_share,
        }
        if left_out := [name for name, value in told.items() if value]:
            raise ConfigError(f"rolling knows sessions and items alone: leave out {', '.join(left_out)}")
        source = config.open_source()
        events = pd.concat(list(source.interactions()), ignore_index=True)
        if TIMESTAMP not in events:
            raise ConfigError(f"{source.name} does not say when events were: rolling takes data with a clock")
        began = (
            parse_timestamps(events[TIMESTAMP], source.time_format)
            .groupby(events[SESSION_ID])
            .transform("min")
        )
        day = began.dt.floor("D")
        last = day.max() if until is None else pd.Timestamp(until)
        first = last - pd.Timedelta(days=count + window)
        if day.min() > first:
            raise ConfigError(
                f"{source.name} begins on {day.min():%F}: too late for {count} days after {window}"
            )
        if POSITION in events:
            place = pd.Series(order_keys(parse_positions(events[POSITION])), events.index)
        else:
            place = parse_instants(events[TIMESTAMP], source.time_format)
        hashed = pd.util.hash_array(events[SESSION_ID].astype(str).to_numpy(object))
        found = pd.DataFrame(
            {
                SESSION_ID: events[SESSION_ID],
                ITEM_ID: events[ITEM_ID],
                "order": place,
                "day": (day - last).dt.days + count,
                "is_valid": hashed % _VALIDATION == 0,
            }
        )
        found = found[(day >= first) & (day <= last)].sort_values([SESSION_ID, "order"], kind="stable")
        found[POSITION] = found.groupby(SESSION_ID).cumcount()
        return cls(source.items(), found.drop(columns="order"), count, window, last)

    def up_to(self, day: int) -> pd.DataFrame:
        """Return the events of the window that ends with a day, and those of the next day as test split."""
        events = self.events[self.events["day"].between(day - self.window + 1, day + 1)]
        split = np.where(events["day"] == day + 1, "test", np.where(events["is_valid"], "valid", "train"))
        return events[[SESSION_ID, ITEM_ID, POSITION]].assign(**{SPLIT: split})

    def date(self, day: int) -> str:
        """Return the date of a day."""
        return f"{self.last - pd.Timedelta(days=self.count - day):%F}"


@dataclass
class Line:
    """The results of one day.

    Attributes:
        day: the day that is evaluated.
        sessions: numbers of all training sessions, of those new to the continued model, and of known ones
            that it was trained on again.
        prefixes: number of evaluated prefixes.
        seconds: wall-clock time of preprocessing and training, by model.
        work: their CPU time, all cores together, by model.
        values: mean and ends of its interval, by metric and model.
        differences: the same for continued minus from scratch, by metric.
    """

    day: str
    sessions: tuple[int, int, int] = (0, 0, 0)
    prefixes: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    work: dict[str, float] = field(default_factory=dict)
    values: dict[str, dict[str, tuple[float, float, float]]] = field(default_factory=dict)
    differences: dict[str, tuple[float, float, float]] = field(default_factory=dict)


def measure(days: Days, config: Config) -> Iterator[Line]:
    """Train both models on each day, and evaluate them on the next one."""
    before: Run | None = None
    for day in range(-1, days.count):
        folder = config.directory / "rolling" / days.date(day)
        line, scratch = Line(days.date(day + 1)), with_tables(days.up_to(day), days.items, config, folder)
        prepare_data(scratch.config)
        make(scratch, None, line, SCRATCH)
        if before is None:
            before = scratch
            continue
        ours = Run(scratch.config.model_copy(update={"work_dir": folder / "continued"}))
        copytree(scratch.data, ours.data, dirs_exist_ok=True)
        make(ours, before, line, CONTINUED)
        compare({SCRATCH: scratch, CONTINUED: ours, BEFORE: before}, line)
        print(line, flush=True)
        before = ours
        yield line


def with_tables(events: pd.DataFrame, items: pd.DataFrame, config: Config, folder: Path) -> Run:
    """Write the two tables of a day, and return the run that reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    events.to_parquet(folder / "interactions.parquet", index=False)
    items.to_parquet(folder / "items.parquet", index=False)
    data = {
        "source": "tables",
        "interactions": folder / "interactions.parquet",
        "items": folder / "items.parquet",
        "columns": {"order": POSITION, "split": SPLIT},
        "split": {"kind": "column"},
        "min_session_length": config.data.min_session_length,
        "max_session_length": config.data.max_session_length,
    }
    change = {"data": TablesData.model_validate(data), "work_dir": folder / "scratch"}
    return Run(config.model_copy(update=change))


def make(run: Run, earlier: Run | None, line: Line, name: str) -> None:
    """Preprocess and train anew, and record the time in `line`."""
    clock, work = time.perf_counter(), time.process_time()
    preprocess(run.config, force=True, earlier=earlier)
    train(run.config, force=True, earlier=earlier)
    line.seconds[name], line.work[name] = time.perf_counter() - clock, time.process_time() - work


def compare(runs: Mapping[str, Run], line: Line) -> None:
    """Evaluate models on the test sessions of the run from scratch, and record the results in `line`."""
    first = runs[SCRATCH]
    catalogue, sessions = Catalogue.load(first.catalogue), Sessions.load(first.sessions("test"))
    config, settings = first.config, first.config.evaluation
    drawn = settings.bootstrap_samples, config.seed
    outcomes = {}
    for name, run in runs.items():
        own = Catalogue.load(run.catalogue)
        told = translate(sessions, catalogue, own)
        prefixes = scored_prefixes(told, config, settings.max_prefixes)
        scorer = ModelScorer(load_model(run.model, own), name)
        outcomes[name] = evaluate(scorer, prefixes, own, settings.model_copy(update={"ks": [20]}))
    for text in METRICS:
        metric = MetricAt.parse(text)
        line.values[text] = {}
        for name, outcome in outcomes.items():
            values = metric.values(outcome)
            low, high = session_intervals(values[:, None], outcome.prefixes.session, *drawn)
            line.values[text][name] = float(values.mean()), float(low[0]), float(high[0])
        verdict = weigh(outcomes[CONTINUED], outcomes[SCRATCH], metric, *drawn)
        line.differences[text] = verdict.difference, verdict.low, verdict.high
    line.prefixes = len(outcomes[SCRATCH].prefixes)
    trained = runs[CONTINUED].step("train").manifest()
    known = runs[CONTINUED].step("preprocess").manifest()["sessions"]["train"]["sessions"]
    line.sessions = known, trained["new_sessions"], trained["old_sessions"]


def publish_lines(lines: Sequence[Line], config: Config, output: Path, stamp: Stamp, window: int) -> str:
    """Write a row per day as JSON, and a page."""
    rows = [{"data": config.name, **asdict(line), "commit": stamp.commit} for line in lines]
    continued = config.training.continued
    about = (
        f"Trained on the sessions of {window} days, evaluated on the next day: HIT@20 and MRR@20 in % with "
        "95 % intervals over sessions; differences are of the two models on the same prefixes, pair by pair. "
        f"From scratch: {config.training.epochs} epochs; continued: {continued.epochs}, of the new sessions "
        f"and {continued.old_sessions:.0%} of those known, at {continued.learning_rates:g} of the learning "
        "rates. "
        "Seconds are those of preprocessing and training, one after the other in one process."
    )
    quality = [
        [
            line.day,
            f"{line.prefixes:,}",
            metric,
            *(_percent(*line.values[metric][name]) for name in (SCRATCH, CONTINUED, BEFORE)),
            _percent(*line.differences[metric], sign="+"),
        ]
        for metric in METRICS
        for line in lines
    ]
    cost = [
        [
            line.day,
            *(f"{count:,}" for count in line.sessions),
            *(f"{of[name]:.0f}" for of in (line.seconds, line.work) for name in (SCRATCH, CONTINUED)),
            *(f"{of[CONTINUED] / of[SCRATCH]:.2f}" for of in (line.seconds, line.work)),
        ]
        for line in lines
    ]
    parts = [
        about,
        table(["day", "prefixes", "metric", SCRATCH, CONTINUED, BEFORE, "difference"], quality, left=1),
        table(
            [
                *("day", "sessions", "new", "known, again", "s from scratch", "s continued"),
                *("core s from scratch", "core s continued", "share of s", "share of core s"),
            ],
            cost,
            left=1,
        ),
    ]
    return publish(
        output, f"rolling-{config.name}", rows, stamp, title=f"Day after day on {config.name}", parts=parts
    )


def _percent(mean: float, low: float, high: float, sign: str = "") -> str:
    return f"{100 * mean:{sign}.2f} [{100 * low:{sign}.2f}, {100 * high:{sign}.2f}]"
