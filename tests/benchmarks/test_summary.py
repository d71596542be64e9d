import json
from pathlib import Path

import pytest

from benchmarks.frame.keep import Store
from benchmarks.frame.publish import ROOT, Record
from benchmarks.runners.process import Look, Trained, has_stalled
from benchmarks.training.summary import AT_LEAST, TIME_TO_QUALITY, plot, summarise, table, time_to_quality
from benchmarks.training.systems import OURS, SYSTEMS, choose
from m2trec_merlin.errors import ConfigError


def look(seconds: float, hit: float, epochs: int = 0) -> Look:
    return Look(seconds, sessions=10 * seconds, targets=40 * seconds, epochs=epochs, hit=hit, mrr=hit / 2)


def curve(system: str, *points: tuple[float, float], peak: int = 2**30) -> Trained:
    return Trained(system, peak, "abc1234", [look(*point) for point in points])


# 95 % of the best HIT@20, which "slow" reaches last, is 0.38.
OURS_CURVE = curve(OURS, (10, 0.2), (20, 0.38), (30, 0.39))
SLOW = curve("slow", (50, 0.1), (100, 0.4), peak=2**31)
NEVER = curve("never", (60, 0.37), (120, 0.379))


def record(records: list[Record], system: str, measure: str) -> Record | None:
    found = [r for r in records if r.system == system and r.measure == measure]
    assert len(found) <= 1
    return found[0] if found else None


def value(records: list[Record], system: str, measure: str) -> tuple[float | None, float | None]:
    found = record(records, system, measure)
    assert found is not None
    return found.value, found.ratio_to_ours


def test_time_to_quality_is_the_first_look_that_shows_it() -> None:
    looks = [look(10, 0.1), look(20, 0.5), look(30, 0.4), look(40, 0.6)]
    assert time_to_quality(looks, 0.4) == 20
    assert time_to_quality(looks, 0.51) == 40
    assert time_to_quality(looks, 0.7) is None


def test_no_quality_is_never_reached() -> None:
    assert time_to_quality([look(10, 0.0)], 0.0) is None


def test_ratios_divide_theirs_by_ours() -> None:
    records = summarise([OURS_CURVE, SLOW, NEVER], "data")
    assert value(records, OURS, TIME_TO_QUALITY) == (20, 1.0)
    assert value(records, "slow", TIME_TO_QUALITY) == (100, 5.0)
    assert value(records, "slow", "peak memory") == (2048, 2.0)
    assert value(records, "slow", "HIT@20") == (0.4, pytest.approx(0.4 / 0.39, abs=1e-3))
    assert value(records, "slow", "MRR@20")[0] == 0.2


def test_a_rate_is_compared_as_the_time_it_stands_for() -> None:
    fast = Trained("fast", 1, "abc1234", [Look(10, 1000, 4000, 1, 0.1, 0.1)])
    records = summarise([OURS_CURVE, fast], "data")
    assert value(records, "fast", "sessions/s") == (100.0, 0.1)
    assert value(records, "fast", "targets/s") == (400.0, 0.1)


def test_who_never_gets_there_has_a_lower_bound_only() -> None:
    records = summarise([OURS_CURVE, SLOW, NEVER], "data")
    assert value(records, "never", TIME_TO_QUALITY) == (None, None)
    assert value(records, "never", AT_LEAST) == (120, 6.0)
    assert record(records, "slow", AT_LEAST) is None
    assert "| never; more than 120 (6.00) |" in table(records)


def test_without_ours_there_are_no_ratios() -> None:
    assert all(r.ratio_to_ours is None for r in summarise([SLOW, NEVER], "data"))


def test_stalls_after_three_epochs_without_a_better_hit() -> None:
    assert not has_stalled([look(1, 0.3, epochs=1), look(2, 0.2, epochs=2), look(3, 0.3, epochs=3)])
    assert has_stalled([look(1, 0.3, epochs=1), look(2, 0.2, epochs=2), look(3, 0.3, epochs=4)])


def test_a_finished_system_is_kept_for_the_same_settings_only(tmp_path: Path) -> None:
    store = Store(tmp_path, Trained)
    assert store.read("system", "key") is None
    store.write("system", "key", SLOW)
    assert store.read("system", "key") == SLOW
    assert store.read("system", "another") is None


def test_curves_are_drawn() -> None:
    picture = plot([OURS_CURVE, SLOW], "data")
    assert picture.lstrip().startswith("<?xml") and "</svg>" in picture


def test_pages_say_what_was_measured() -> None:
    content = json.loads((ROOT / "benchmarks" / "results" / "training.json").read_text())
    records = [Record(**one) for one in content]
    assert table(records) in (ROOT / "docs" / "performance.md").read_text()
    ours, _ = value(records, OURS, TIME_TO_QUALITY)
    said = (ROOT / "README.md").read_text()
    assert f"On one core, {ours:.0f} seconds to a quality" in said
    others = {one.system for one in records} - {OURS}
    assert all(value(records, system, TIME_TO_QUALITY) == (None, None) for system in others)
    best = max(value(records, system, "HIT@20")[1] or 0.0 for system in others)
    assert f"came to {100 * best:.0f} % of our best" in said


def test_systems_are_chosen_by_parts_of_their_names() -> None:
    assert choose(None) == SYSTEMS
    assert [s.name for s in choose(["esasrec", "causal"])] == [OURS, "RecTools eSASRec"]
    with pytest.raises(ConfigError, match="no system 'bert'"):
        choose(["bert"])
    assert len({s.slug for s in SYSTEMS}) == len(SYSTEMS)
