import json
import socket
import sys
from pathlib import Path

import pytest
import yaml

from m2trec_merlin.cli import app as app_module
from m2trec_merlin.cli.app import app, main, read_config
from m2trec_merlin.config import ServingConfig
from m2trec_merlin.errors import ConfigError
from tests.serving.client.stand_in import StandIn, serving

SHOP = {
    "name": "shop",
    "data": {"source": "tables", "interactions": "interactions.csv", "items": "items.csv"},
    "attributes": [{"name": "title", "kind": "text"}, {"name": "category", "kind": "categorical"}],
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "items.csv").write_text(
        "item_id,title,category\n" + "".join(f"{i},mug,cups\n" for i in range(9))
    )
    lines = [f"s{session},{item}" for session in range(30) for item in (session % 9, (session + 1) % 9)]
    (tmp_path / "interactions.csv").write_text("session_id,item_id\n" + "\n".join(lines))
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump({**SHOP, "work_dir": str(tmp_path / "run")}))
    return tmp_path / "shop.yaml"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run the command line in this process; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["m2trec", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr().err
    assert "Traceback" not in captured
    return " ".join(captured.split())


def test_data_then_preprocess_then_again(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "data", "-c", shop) == 0
    assert "train" in capsys.readouterr().out
    assert run(monkeypatch, "preprocess", "-c", shop) == 0
    assert run(monkeypatch, "preprocess", "-c", shop) == 0
    assert "up to date" in capsys.readouterr().out


def test_a_folder_that_holds_no_run_is_not_served(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "serve", shop.parent, "-c", shop) == 1
    message = error_of(capsys)
    assert f"{shop.parent} holds no Triton model 'm2trec'" in message and "m2trec export" in message


def test_a_run_that_is_not_there_cannot_be_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "current").symlink_to("yesterday")
    for name, why in (("current", ": it is a link to yesterday, which is not there"), ("toady", "")):
        for words in ([tmp_path / name], [tmp_path, "--beside", tmp_path / name]):
            assert run(monkeypatch, "serve", *words) == 1
            message = error_of(capsys)
            assert f"{name}: no such file or folder{why}; `m2trec runs` lists" in message
            assert "export" not in message


def test_a_wrong_column_name(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "data", "-c", shop, "-s", "data.columns.session_id=sesion_id") == 1
    message = error_of(capsys)
    assert "interactions.csv" in message
    assert "'sesion_id'" in message
    assert "session_id" in message


def test_an_empty_file(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop.parent / "interactions.csv").write_text("")
    assert run(monkeypatch, "data", "-c", shop) == 1
    message = error_of(capsys)
    assert "interactions.csv" in message
    assert "empty" in message


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        ("preprocess", "run `m2trec data -c {} -s seed=1` first"),
        ("train", "run `m2trec preprocess -c {} -s seed=1` first"),
        ("evaluate", "run `m2trec preprocess -c {} -s seed=1` first"),
        ("serve", "run `m2trec export -c {} -s seed=1 --variant metrec` first"),
    ],
)
def test_a_step_before_its_time_names_the_one_to_run(
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    message: str,
) -> None:
    variant = [] if verb == "preprocess" else ["--variant", "metrec"]
    assert run(monkeypatch, verb, "-c", shop, "-s", "seed=1", *variant) == 1
    assert message.format(shop) in error_of(capsys)


def test_a_missing_configuration(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "train", "-c", "nowhere.yaml") == 1
    assert "nowhere.yaml: no such configuration file" in error_of(capsys)


def test_a_run_is_served_without_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # As an error advises where the port is in use.
    for settings in ([], ["-s", "serving.grpc_port=9001"]):
        assert run(monkeypatch, "serve", tmp_path, *settings) == 1
        assert "holds no Triton model" in error_of(capsys)
    assert run(monkeypatch, "serve", tmp_path, "-s", "serving.grpc_port=0.5") == 1
    assert "--set serving: 1 mistake in the configuration - grpc_port: " in error_of(capsys)
    assert run(monkeypatch, "serve", tmp_path, "-s", "training.epochs=5") == 2
    assert "--set training.epochs: a run that is named takes settings of `serving` only" in error_of(capsys)
    assert run(monkeypatch, "serve") == 1
    assert "no such configuration file" in error_of(capsys)


def test_settings_beside_a_run_say_how_it_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[ServingConfig] = []
    monkeypatch.setattr("m2trec_merlin.cli.verbs.run_serve", lambda section, *_: said.append(section))
    settings = ["-s", "serving.grpc_port=9001", "-s", "serving.log.folder=shown"]
    assert run(monkeypatch, "serve", tmp_path, *settings) == 0
    [section] = said
    assert section.grpc_port == 9001 and section.log is not None


def test_the_demo_brings_its_configuration_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: list[str] = []
    monkeypatch.setattr("m2trec_merlin.cli.demo.run_demo", lambda config: names.append(config.name))
    assert run(monkeypatch, "demo") == 0 and names == ["complete_journey"]
    assert "complete_journey.yaml is written" in capsys.readouterr().out
    own = tmp_path / "complete_journey.yaml"
    own.write_text(own.read_text().replace("name: complete_journey", "name: mine"))
    assert run(monkeypatch, "demo") == 0 and names[1:] == ["mine"]
    assert run(monkeypatch, "demo", "-c", "nowhere.yaml") == 1


def test_no_server_answers(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:  # bound but not listening: nobody answers, and nobody else can start to
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert run(monkeypatch, "recommend", "1", "-c", shop, "--address", address) == 1
        assert f"no server answers at {address}: start one with `m2trec serve -c {shop}`" in error_of(capsys)
        # Bytes that are no UTF-8 arrive as lone surrogates.
        assert run(monkeypatch, "recommend", "caf\udce9", "-c", shop, "--address", address) == 1
        assert f"no server answers at {address}" in error_of(capsys)


def test_a_list_to_rank_and_reasons_are_asked_for(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in = StandIn()
    listed = ["--candidates", "7", "--candidates", '{"item_id": "x", "title": "tea"}']
    with serving(stand_in) as address:
        asked = ("recommend", "1", "-c", shop, "--address", address)
        assert run(monkeypatch, *asked, *listed, "--explain") == 0
        options = json.loads(stand_in.tensors["options"][0])
        assert options["candidates"] == ["7", {"item_id": "x", "title": "tea"}] and options["explain"] is True
        assert run(monkeypatch, *asked) == 0
        assert not {"candidates", "explain"} & json.loads(stand_in.tensors["options"][0]).keys()
        assert run(monkeypatch, *asked, "--candidates", "{") == 2
    assert "item {: not valid JSON" in error_of(capsys)


def test_beside_an_address_no_configuration_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(StandIn()) as address:
        assert run(monkeypatch, "recommend", "1", "--address", address) == 0
        assert run(monkeypatch, "recommend", "1", "--address", address, "-c", "nowhere.yaml") == 1
        assert "nowhere.yaml: no such configuration file" in error_of(capsys)
    assert run(monkeypatch, "recommend", "1") == 1
    assert "configs/complete_journey.yaml: no such configuration file" in error_of(capsys)


@pytest.mark.parametrize("address", ["nonsense", "", "[red]localhost[/red]"])
def test_an_address_that_is_none(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    assert run(monkeypatch, "recommend", "1", "-c", shop, "--address", address) == 2
    assert error_of(capsys) == (
        f"Error: --address '{address}': expected HOST:PORT of Triton's gRPC, as in 127.0.0.1:8001"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["recommend", "{"], "item {: not valid JSON"),
        (["recommend", "1", "--filter", "produce"], "--filter produce: expected COLUMN=VALUE"),
        (["recommend", "1", "--filter", "a>=x"], "--filter a>=x: expected a number behind >="),
        (["data", "-s", "seed"], "--set seed: expected KEY=VALUE"),
        (["check", "-s", "seed"], "--set seed: expected KEY=VALUE"),
        (["check", "-s", "name.first=x"], "--set name.first: name is 'shop'"),
        (
            ["train", "--variant", "metrec", "-s", "variant=trec_id"],
            "--variant metrec: --set variant=trec_id names another one",
        ),
        (["train", "--variant", "oracle"], "no variant 'oracle'; accepted: m2trec, metrec"),
        (["serve", "runs/shop", "--variant", "metrec"], "--variant: changes nothing of a run that is named"),
        (["preprocess", "--dask", "threads"], "--dask 'threads' is not understood"),
        (["promote", "new", "--over", "old", "--metric", "HIT"], "metric 'HIT': expected one of HIT@K"),
    ],
)
def test_mistakes_on_the_command_line_have_an_exit_code_of_their_own(
    words: list[str],
    told: str,
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    configured = [] if words[0] == "promote" else ["-c", shop]
    assert run(monkeypatch, *words, *configured) == 2
    captured = capsys.readouterr()
    assert told in " ".join(captured.err.replace("│", " ").split()) and not captured.out


@pytest.mark.parametrize("verb", ["", *(command.callback.__name__ for command in app.registered_commands)])
def test_every_verb_explains_itself(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *filter(None, [verb]), "--help") == 0
    assert "Usage" in capsys.readouterr().out


def test_settings_and_variants_from_the_command_line(shop: Path) -> None:
    config = read_config(shop, ["training.epochs=3", "model.next_item.residual=false"], "trec_title")
    assert config.training.epochs == 3
    assert config.model.next_item.residual is False
    assert config.model.inputs == ["title"]
    assert config.model_directory == config.directory / "variants" / "trec_title"
    assert read_config(shop, ["variant=trec_title"], "trec_title") == read_config(shop, None, "trec_title")
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        read_config(shop, ["training.epochs"])
    with pytest.raises(ConfigError, match=r"baselines\.0: .*'popularity'.*got 'oracle'"):
        read_config(shop, ["evaluation.baselines=[oracle]"])


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), SystemExit(130)])
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Run the same command again to go on."),
        (["--restart"], "The same command begins anew, as --restart says."),
    ],
)
def test_a_verb_that_is_stopped_says_how_to_go_on(
    raised: BaseException,
    arguments: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["m2trec", "train", *arguments])

    def stopped() -> None:
        raise raised

    monkeypatch.setattr(app_module, "app", stopped)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
    assert f"Stopped. {told}" in capsys.readouterr().err
