"""Which version of the catalogue is served, whatever happens to the files."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from m2trec_merlin.contract.catalogue import CURRENT, CatalogueVersion, catalogue_folder, version_name
from m2trec_merlin.contract.checksums import seal
from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.runtime.catalogue import live_versions
from m2trec_merlin.serving.runtime.catalogue.live_versions import LiveVersions


def opened(folder: Path, version: CatalogueVersion) -> str:
    return f"items of {version.number}"


def write(repository: Path, number: int, export: str = "mine", did: str = "changed") -> None:
    folder = catalogue_folder(repository) / str(number)
    folder.mkdir(parents=True)
    CatalogueVersion(number, number - 1, did, 0.0, export, 1).write(folder)
    seal(folder)
    (folder.parent / CURRENT).write_text(str(number))


def items_of(repository: Path, number: int) -> tuple[str, str]:
    return version_name(catalogue_folder(repository), str(number)), f"items of {number}"


def test_what_is_served_goes_on_while_an_export_replaces_the_repository(tmp_path: Path) -> None:
    repository = tmp_path / "triton"
    write(repository, 1)
    versions, first = LiveVersions(repository, "mine", "as exported", opened), items_of(repository, 1)
    assert versions.served() == first
    repository.rename(tmp_path / "old")
    assert versions.served() == first, "not for a moment what was changed since"
    write(repository, 2, export="another")
    assert versions.served() == first
    with pytest.raises(ServerError, match="of another export"):
        versions.get(items_of(repository, 2)[0])


@pytest.mark.parametrize("export", ["mine", "another"])
def test_a_version_that_comes_again_under_its_number_is_another_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], export: str
) -> None:
    """As where a repository is removed and made anew, or copied from elsewhere."""
    repository = tmp_path / "triton"
    for number in (1, 2):
        write(repository, number)
        versions = LiveVersions(repository, "mine", "as exported", lambda folder, version: version)
    write(repository, 3)
    first, third = items_of(repository, 1)[0], items_of(repository, 3)[0]
    assert versions.get(first).did == "changed" and versions.served()[0] == third
    shutil.rmtree(repository)
    write(repository, 1, export, did="made anew")
    name, served = versions.served()
    if export == "mine":
        assert (name, served.did) == (items_of(repository, 1)[0], "made anew") and name != first
    else:
        assert name == third and "version 1 " in (told := capsys.readouterr().err)
        assert "of another export" in told and "version 3 goes on being served" in told
    assert versions.get(first).did == "changed", "for requests between the two steps"


def test_what_is_not_there_yet_is_tried_again_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live_versions, "_SECONDS_UNTIL_TRIED_AGAIN", 0.0)
    versions = LiveVersions(tmp_path, "mine", "as exported", opened)
    catalogue_folder(tmp_path).mkdir(parents=True)
    (catalogue_folder(tmp_path) / CURRENT).write_text("1")
    assert [versions.served() for _ in range(3)] == [("0", "as exported")] * 3
    assert capsys.readouterr().err.count("version 0 goes on being served") == 1
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere", 1)
    (catalogue_folder(tmp_path / "elsewhere") / "1").rename(catalogue_folder(tmp_path) / "1")
    assert versions.served() == items_of(tmp_path, 1)


def test_whatever_keeps_a_version_from_being_opened_it_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live_versions, "_SECONDS_UNTIL_TRIED_AGAIN", 0.0)
    errors: list[Exception] = [OSError(116, "Stale file handle"), MemoryError("of this moment")]

    def at_last(folder: Path, version: CatalogueVersion) -> str:
        if errors:
            raise errors.pop(0)
        return opened(folder, version)

    versions = LiveVersions(tmp_path, "mine", "as exported", at_last)
    write(tmp_path, 1)
    assert versions.served() == ("0", "as exported")
    assert "Stale file handle; version 0 goes on being served" in capsys.readouterr().err
    with pytest.raises(MemoryError):
        versions.served()
    assert versions.served() == items_of(tmp_path, 1)


def test_requests_do_not_wait_for_another_version_to_be_opened(tmp_path: Path) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slowly(folder: Path, version: CatalogueVersion) -> str:
        if version.number == 2:
            started.set()
            assert go_on.wait(20)
        return opened(folder, version)

    write(tmp_path, 1)
    versions = LiveVersions(tmp_path, "mine", "as exported", slowly)
    write(tmp_path, 2)
    watching = threading.Thread(target=versions.served)
    watching.start()
    assert started.wait(20)
    asking = threading.Thread(target=versions.get, args=[items_of(tmp_path, 1)[0]], daemon=True)
    asking.start()
    asking.join(20)
    assert not asking.is_alive()
    go_on.set()
    watching.join()
    assert versions.served() == items_of(tmp_path, 2)
