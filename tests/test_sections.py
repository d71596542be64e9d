"""What settings of any section mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from m2trec_merlin.config import load_config, restore_config
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.readers.tables import TablesData
from tests.config.test_config import ATTRIBUTES, write


def test_a_file_may_extend_one_of_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    write(tmp_path / "home" / "base.yaml", {"name": "base", "attributes": ATTRIBUTES})
    assert load_config(write(tmp_path / "child.yaml", {"extends": "~/base.yaml"})).name == "base"
    told = r"extends: ~nobody-here/base\.yaml: no home folder ~nobody-here is known; .* \./~nobody-here/base"
    with pytest.raises(ConfigError, match=told):
        load_config(write(tmp_path / "child.yaml", {"extends": "~nobody-here/base.yaml"}))
    write(tmp_path / "~base.yaml", {"name": "beside", "attributes": ATTRIBUTES})
    assert load_config(write(tmp_path / "child.yaml", {"extends": "./~base.yaml"})).name == "beside"


def test_a_path_of_the_home_folder_is_the_same_when_it_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for given, meant in (
        ("~/clicks.csv", tmp_path / "home" / "clicks.csv"),
        ("./~/clicks.csv", tmp_path / "~" / "clicks.csv"),
        ("clicks.csv", Path("clicks.csv")),
    ):
        tables = {"source": "tables", "interactions": given, "items": "items.csv"}
        path = write(Path("c.yaml"), {"name": "shop", "attributes": ATTRIBUTES, "data": tables})
        config = load_config(path)
        assert restore_config(config.model_dump(mode="json")) == config
        assert isinstance(config.data, TablesData) and config.data.interactions == meant
