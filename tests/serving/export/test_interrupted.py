"""An export on a full disk, and one that is killed: the earlier one is served on, nothing is left."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from m2trec_merlin.contract.version import Description
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.serving.export.repository import version_folder
from m2trec_merlin.serving.export.run import export
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
from tests.worlds.disks import small_disk
from tests.worlds.shop import UNPLAIN, Shop, shop_config

#: Exports until the function of this name is called; `rename` is between taking away the old and the new.
DYING = """
import os, signal, sys
from pathlib import Path
from m2trec_merlin.serving.export import run as exporting
from tests.worlds.shop import shop_config

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "rename":
    exporting.write_repository = lambda *arguments: {}
    rename = Path.rename
    Path.rename = lambda path, target: die() if path.suffix == ".tmp" else rename(path, target)
else:
    setattr(exporting, sys.argv[2], die)
exporting.export(shop_config(Path(sys.argv[1])), force=True)
"""


@pytest.fixture
def work(shop: Shop, tmp_path: Path) -> Path:
    return shutil.copytree(shop.config.directory, tmp_path / UNPLAIN)


def require_served(repository: Path) -> None:
    """Check all that `m2trec serve` and the steps check."""
    TritonServer(repository, Ports.free()).require_startable()
    for model in ("m2trec_preprocess", "m2trec_predict"):
        Description.open(version_folder(repository, model))


def hidden(work: Path) -> list[str]:
    return sorted(path.name for path in work.iterdir() if path.name.startswith("."))


@pytest.mark.usefixtures("graphs_written_anew")
@pytest.mark.parametrize("largest_file", [100, 3_000, 20_000])
def test_a_full_disk_is_one_error_and_leaves_the_earlier_export(work: Path, largest_file: int) -> None:
    with small_disk(largest_file), pytest.raises(ArtifactError) as error:
        export(shop_config(work), force=True)
    assert str(error.value).startswith(f"cannot write to {work / 'triton'}: ")
    assert "\n" not in str(error.value) and hidden(work) == []
    require_served(work / "triton")


@pytest.mark.slow
def test_after_a_kill_the_earlier_export_is_whole_and_the_next_one_leaves_nothing(work: Path) -> None:
    def killed_at(point: str) -> None:
        command = [sys.executable, "-W", "ignore", "-c", DYING, str(work), point]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == -signal.SIGKILL, done.stderr

    killed_at("export_items")
    assert len([name for name in hidden(work) if name.endswith(".tmp")]) == 1
    require_served(work / "triton")

    killed_at("rename")
    assert {name.rpartition(".")[2] for name in hidden(work)} == {"lock", "tmp", "old"}
    with pytest.raises(ArtifactError, match="run `m2trec export` first"):
        require_served(work / "triton")

    require_served(export(shop_config(work)))
    assert hidden(work) == []
