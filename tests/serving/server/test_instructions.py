from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from m2trec_merlin.config.serving import ShownLogConfig
from m2trec_merlin.contract.server_settings import VARIABLE, ServerSettings
from m2trec_merlin.errors import ArtifactError, ConfigError, ServerError
from m2trec_merlin.serving.server.instructions import NOTHING, UNDER_WAY, Beside, Instructions


def test_nothing_is_told_but_where_to_count(tmp_path: Path) -> None:
    with NOTHING.laid_out(tmp_path) as (variables, descriptors):
        assert ServerSettings.read(variables) == ServerSettings(under_way=str(tmp_path / UNDER_WAY))
        assert descriptors == [] and list(tmp_path.rglob("*")) == [tmp_path / UNDER_WAY]
    assert ServerSettings.read({}) == ServerSettings() and not ServerSettings().under_way


def test_folders_of_any_name_are_reached_by_plain_paths(tmp_path: Path) -> None:
    plain, log, other = tmp_path / "plain", tmp_path / "the shop's lög" / "new", tmp_path / "other (2)"
    plain.mkdir(), other.mkdir()
    instructions = Instructions("none", ShownLogConfig(folder=log, days=3), Beside(other, 0.25))
    with instructions.laid_out(plain) as (variables, _):
        told = ServerSettings.read(variables)
    assert (told.shown_days, told.share) == (3, 0.25)
    assert Path(told.shown).parent == Path(told.beside).parent == plain
    assert (Path(told.shown).resolve(), Path(told.beside).resolve()) == (log, other)
    assert list(log.iterdir()) == []


def test_lines_go_to_standard_output(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with capfd.disabled(), Instructions("all").laid_out(tmp_path) as (variables, [descriptor]):
        assert ServerSettings.read(variables) == ServerSettings(
            "all", descriptor, under_way=str(tmp_path / UNDER_WAY)
        )
        assert os.fstat(descriptor).st_ino == os.fstat(1).st_ino and descriptor > 2
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_log_that_cannot_be_written_is_named_before_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = ShownLogConfig(folder=tmp_path / "file" / "log")
    with (
        pytest.raises(ServerError, match=r"serving\.log\.folder .*/file/log: Not a directory"),
        Instructions("none", log).laid_out(tmp_path),
    ):
        raise AssertionError("laid out")


def config(folder: Path, text: str) -> Path:
    (folder / "m2trec").mkdir(parents=True)
    (folder / "m2trec" / "config.pbtxt").write_text(text)
    return folder


def test_models_are_served_beside_each_other_if_their_answers_are_alike(tmp_path: Path) -> None:
    text = 'name: "m2trec"\nmax_batch_size: {}\noutput [ {{ name: "next_{}" }} ]\n'
    here = config(tmp_path / "here", text.format(64, "brand"))
    Beside(config(tmp_path / "alike", text.format(8, "brand")), 0.5).require_alike(here)
    with pytest.raises(
        ServerError, match=r"other cannot be served beside .*here: it predicts other attributes"
    ):
        Beside(config(tmp_path / "other", text.format(64, "colour")), 0.5).require_alike(here)
    (tmp_path / "link").symlink_to(here)
    with pytest.raises(ServerError, match="link is the very model that it is to be served beside"):
        Beside(tmp_path / "link", 0.5).require_alike(here)
    with pytest.raises(ArtifactError, match=r"config\.pbtxt is missing: run `m2trec export --force`"):
        Beside(tmp_path / "none", 0.5).require_alike(here)


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"log": "all"}), '{"log_json": "al"}', "1"])
def test_an_environment_that_says_something_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"{VARIABLE}=.*: expected a JSON object with any of log_json"):
        ServerSettings.read({VARIABLE: text})
