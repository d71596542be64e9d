from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from m2trec_merlin.config import ServingConfig
from m2trec_merlin.contract.metrics import METRICS
from tests.docker.observability import FOLDER, Selector, expressions, selectors

EXPOSED = {name for metric in METRICS for name in metric.series}


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / "grafana.json").read_text())
    return content


def test_selectors_are_found_in_expressions() -> None:
    text = 'sum by (le) (rate(a_b{x="1", y=~"p.*"}[5m])) / ignoring(step) group_left time() - c > 7 * 86400'
    assert selectors(text) == [Selector("a_b", (("x", "1"), ("y", "p.*"))), Selector("c", ())]
    assert selectors("up == 0 and d / 1e6 > 2") == [Selector("d", ())]


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_expressions_read_metrics_of_ours_or_tritons(where: str, expression: str) -> None:
    names = {selector.name for selector in selectors(expression)}
    assert names or expression.startswith("up")
    assert all(name in EXPOSED or name.startswith("nv_") for name in names)


def test_the_board_shows_every_metric(board: dict[str, Any]) -> None:
    shown = {s.name for p in board["panels"] for t in p["targets"] for s in selectors(t["expr"])}
    assert shown >= EXPOSED


def test_panels_do_not_overlap_and_ask_one_source(board: dict[str, Any]) -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(places)) == len(places) and {x for x, _ in places} <= {0, 8, 16}
    assert len({panel["id"] for panel in board["panels"]}) == len(places)
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"${source}"}
    assert [each["name"] for each in board["templating"]["list"]] == ["source"]


def test_prometheus_asks_where_a_server_listens_and_knows_the_rules() -> None:
    prometheus = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    [job] = prometheus["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"127.0.0.1:{ServingConfig().metrics_port}"]}]
    assert all((FOLDER / name).is_file() for name in prometheus["rule_files"])
    [down] = [expression for where, expression in expressions() if where == "M2TRecDown"]
    assert re.findall('job="(.*?)"', down) == [job["job_name"]]
