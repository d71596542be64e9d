"""Code on pages does what they say: commands exist, Python runs, configurations and requests are taken."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from pathlib import Path

import pytest

import m2trec_merlin as m2trec
from m2trec_merlin.serving.client import AsyncRecommendationClient
from tests.docs.blocks import Block, commands, parse, read_blocks
from tests.serving.client.stand_in import ANSWER, StandIn, serving
from tests.worlds.shop import Shop

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(set(ROOT.glob("docs/*.md")) - {ROOT / "docs" / "commands.md"})]
#: Blocks of README that no test runs, by what they begin with.
NOT_RUN = {
    "make demo": "sets up an environment and takes minutes; tests/cli/test_demo.py runs it on little data",
    " raw tables": "a drawing",
    "m2trec init": "the tutorial runs these commands; here they are parsed, with all others",
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_taken(page: Path) -> None:
    for block in read_blocks(page):
        for words in commands(block.text):
            parse(words)


def readme(language: str) -> list[Block]:
    return [block for block in read_blocks(ROOT / "README.md") if block.language == language]


def test_every_block_of_the_readme_is_run_or_accounted_for() -> None:
    run = {"import m2trec_merlin", "curl http"}
    for block in read_blocks(ROOT / "README.md"):
        known = [start for start in [*NOT_RUN, *run] if block.text.startswith(start)]
        assert len(known) == 1, block.text


def test_the_readme_recommends_in_process(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    Path("runs/shop").symlink_to(shop.config.directory)
    [block] = readme("python")
    # This shop's columns.
    exec(block.text.replace('"category": "dairy"', '"department": "dairy"'), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and all(re.match(r"sku-\d+ \w+ \w+ \d -?\d+\.\d+$", line) for line in lines)


def test_the_readme_asks_as_the_server_reads(shop: Shop) -> None:
    [block] = [block for block in readme("sh") if block.text.startswith("curl")]
    _, url, flag, body = shlex.split(block.text)
    assert (url, flag) == ("http://127.0.0.1:8000/v2/models/m2trec/infer", "--data")
    tensors = {tensor["name"]: tensor for tensor in json.loads(body)["inputs"]}
    assert {t["datatype"] for t in tensors.values()} == {"BYTES"}
    assert all(t["shape"] == [1, len(t["data"])] for t in tensors.values())
    [options] = tensors["options"]["data"]
    answer = m2trec.load(shop.config.directory).recommend(tensors["item_ids"]["data"], **json.loads(options))
    assert len(answer.item_ids) == 3


def test_the_shop_shows_something_whatever_happens() -> None:
    text = "\n".join(
        block.text for block in read_blocks(ROOT / "docs" / "shop.md") if block.language == "python"
    )
    names: dict[str, object] = {}
    exec(text, names)

    async def ask(address: str) -> object:
        async with AsyncRecommendationClient(address, timeout=0.2, retry=False) as client:
            return await names["next_items"](client, ["995242"], [])  # type: ignore[operator]

    assert asyncio.run(ask("127.0.0.1:1")) == names["BESTSELLERS"]
    server = StandIn()
    with serving(server) as address:
        assert asyncio.run(ask(address)) == [item.decode() for item in ANSWER["recommended_ids"]]
        options = json.loads(server.tensors["options"][0])
    assert options == {"top_k": 12, "exclude": [], "exclude_session_items": True}


def test_wishes_for_new_items_are_granted(shop: Shop) -> None:
    """Of the page's requests the boost lifts what has no history, and candidates are the only answer."""
    recommender = m2trec.load(shop.config.directory)
    arrived = ["sku-25", "sku-29"]
    text = next(b.text for b in read_blocks(ROOT / "docs" / "new_items.md") if b.language == "python")
    answers = []
    for line in text.splitlines():
        names = {"recommender": recommender, "session": ["sku-1"], "arrived_this_week": arrived}
        exec(line, names)
        answers.append(names["answer"].item_ids)  # type: ignore[attr-defined]
    plain = recommender.recommend(["sku-1"], top_k=30)
    scores = dict(zip(plain.item_ids, plain.scores, strict=True))

    def best(lifted: list[str]) -> list[str]:
        return sorted(scores, key=lambda item: -(scores[item] + 2.5 * (item in lifted)))[:5]

    unsold = [f"sku-{number}" for number in range(24, 30)]
    assert answers[0] == best(unsold)
    assert answers[1] == best(arrived)
    assert set(answers[3]) == set(arrived)


def test_names_of_transformers4rec_are_those_of_its_package() -> None:
    import transformers4rec.torch as tr

    text = (ROOT / "docs" / "transformers4rec.md").read_text(encoding="utf-8")
    names = set(re.findall(r"\btr\.(\w+)", text))
    assert {"NextItemPredictionTask", "Trainer"} <= names
    assert not {name for name in names if not hasattr(tr, name)}
