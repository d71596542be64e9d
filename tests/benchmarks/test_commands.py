"""The command line of both folders: one table each, options that all spell alike, stamps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.__main__ import MEMBERS as BENCHMARKS
from benchmarks.frame.commands import Member, main, program
from benchmarks.frame.parse import ROOT, Parser, choose, read
from experiments.__main__ import MEMBERS as EXPERIMENTS
from m2trec_merlin.errors import ConfigError

EVERY = [("benchmarks", BENCHMARKS, m) for m in BENCHMARKS]
EVERY += [("experiments", EXPERIMENTS, m) for m in EXPERIMENTS]


@pytest.mark.parametrize("words", [[], ["--help"]])
@pytest.mark.parametrize(("folder", "members"), [("benchmarks", BENCHMARKS), ("experiments", EXPERIMENTS)])
def test_a_folder_lists_its_members(
    folder: str, members: list[Member], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(folder, members, words) == 0
    lines = capsys.readouterr().out.splitlines()
    for member in members:
        assert [line.split() for line in lines].count([member.name, *member.question.split()]) == 1


@pytest.mark.parametrize(("folder", "members", "member"), EVERY, ids=lambda value: getattr(value, "name", ""))
def test_every_member_has_a_command_line_of_its_own(
    folder: str, members: list[Member], member: Member, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(folder, members, [member.name, "--help"])
    page = capsys.readouterr().out
    assert f"usage: python -m {folder} {member.name}" in page
    assert f"python -m {folder} {member.name}" in page.split("options:")[0].split("\n\n", 1)[1], "an example"
    assert "--output" in page


@pytest.mark.parametrize("member", EXPERIMENTS, ids=lambda member: member.name)
def test_errors_of_ours_are_one_message(
    member: Member, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert program("experiments", EXPERIMENTS, [member.name, "-c", str(tmp_path / "none.yaml")]) == 1
    assert "no such configuration file" in capsys.readouterr().err


def test_an_unknown_name_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert program("experiments", EXPERIMENTS, ["papers"]) == 1
    assert "no 'papers'; there are: paper, cold, popularity" in capsys.readouterr().err


def parser() -> Parser:
    made = Parser("benchmarks", "some", "")
    made.add_config("configs/complete_journey.yaml")
    made.add_seeds([1], "")
    made.add_force()
    made.add_argument("--seconds", type=float, default=30.0)
    made.add_argument("--most", type=int)
    made.add_preset("--smoke", "", seconds=2.5, output=Path("elsewhere"))
    return made


def test_settings_and_folder_reach_the_configuration(tmp_path: Path) -> None:
    words = ["-s", "training.epochs=3", "--set", "seed=7", "--work-dir", str(tmp_path)]
    config = read(parser().parse_args(words))
    assert (config.training.epochs, config.seed, config.directory) == (3, 7, tmp_path)


def test_a_preset_counts_less_than_what_is_said() -> None:
    smoke = parser().parse_args(["--smoke"])
    assert (smoke.seconds, smoke.output) == (2.5, Path("elsewhere"))
    assert parser().parse_args(["--seconds", "9", "--smoke"]).seconds == 9
    assert parser().parse_args([]).seconds == 30


def test_a_stamp_spells_what_the_results_depend_on() -> None:
    read_by = parser()
    options = read_by.parse_args(["-s", "seed=7", "--seeds", "1", "2", "--force", "--output", "there"])
    assert read_by.spell(options) == (
        "python -m benchmarks some --config configs/complete_journey.yaml --set seed=7 "
        "--seeds 1 2 --seconds 30"
    )


def test_choosing_keeps_the_order_of_the_things() -> None:
    things = ["GRU", "gru-2", "narm"]
    assert choose(things, None, str, str.startswith, "cell") == things
    assert choose(things, ["NARM", "gru"], str, str.startswith, "cell") == things
    assert choose(things, ["-2"], str, str.__contains__, "cell") == ["gru-2"]
    with pytest.raises(ConfigError, match="no cell 'gnn'; there are: GRU, gru-2, narm"):
        choose(things, ["gnn"], str, str.startswith, "cell")


@pytest.mark.parametrize(("folder", "members"), [("benchmarks", BENCHMARKS), ("experiments", EXPERIMENTS)])
def test_pages_name_members_that_there_are(folder: str, members: list[Member]) -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / folder / "README.md"]
    named = {
        name
        for page in pages
        for name in re.findall(rf"python -m {folder} ([\w-]+)", page.read_text(encoding="utf-8"))
    }
    assert named - {"NAME"} == {member.name for member in members} & named
    listed = re.findall(r"^\| `([\w-]+)", (ROOT / folder / "README.md").read_text(), re.MULTILINE)
    assert listed == [member.name for member in members]
