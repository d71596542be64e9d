"""Which version of the catalogue is served, whatever happens to the files."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from m2trec_merlin.contract.catalogue import CURRENT, STATE, CatalogueVersion, catalogue_folder, version_name
from m2trec_merlin.contract.checksums import seal
from m2trec_merlin.errors import ArtifactError, RefusedError, ServerError
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


def test_what_is_served_goes_on_while_an_export_replaces_the_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = tmp_path / "triton"
    write(repository, 1)
    versions, first = LiveVersions(repository, "mine", "as exported", opened), items_of(repository, 1)
    assert versions.served() == first
    repository.rename(tmp_path / "old")
    assert versions.served() == first, "not for a moment what was changed since"
    assert versions.of_another_export() is None
    write(repository, 2, export="another")
    assert versions.served() == first
    assert (newest := versions.of_another_export()) is not None and newest.number == 2
    told = capsys.readouterr().err
    assert "version 1 goes on being served, without what version 2 removes or hides, until" in told
    with pytest.raises(ServerError, match="of another export"):
        versions.get(items_of(repository, 2)[0])
    write(repository, 3)
    assert versions.served() == items_of(repository, 3)
    assert versions.of_another_export() is None
    with pytest.raises(ArtifactError, match=r"of another export than the one that is served$"):
        LiveVersions(repository, "a third", "as exported", opened)


_FORGED = ("", "1", "x", "None", "../1", "0-abc", "0-0123456789ab", "01-0123456789ab", "\u0661-0123456789ab")


@pytest.mark.parametrize(
    "name", [*_FORGED, "1-0123456789AB", "1-0123456789ab\n", f"{'9' * 600}-0123456789ab"]
)
def test_what_is_no_name_of_a_version_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, 1)
    versions = LiveVersions(tmp_path, "mine", "as exported", opened)
    with pytest.raises(RefusedError, match="no catalogue version as the first step names them"):
        versions.get(name)
    assert versions.get("0") == "as exported" and versions.get(items_of(tmp_path, 1)[0]) == "items of 1"


def test_clients_learn_why_a_version_cannot_be_read_but_not_where_it_is(tmp_path: Path) -> None:
    """The version may be gone by now, so the request is not to blame, and another try will do."""
    repository = tmp_path / "triton"
    for number, export in ((1, "another"), (2, "mine"), (3, "mine")):
        write(repository, number, export)
    names = {number: items_of(repository, number)[0] for number in (1, 2)}
    (catalogue_folder(repository) / "2" / STATE).write_text("{}")
    versions = LiveVersions(repository, "mine", "as exported", opened)
    for name, why in (
        (names[1], "1 is of another export"),
        (names[2], "2: version.json changed"),
        ("1-0123456789ab", "1 was replaced"),
        ("7-0123456789ab", "7/checksums.json is missing"),
    ):
        with pytest.raises(ServerError, match=f"of the catalogue cannot be read: {why}") as error:
            versions.get(name)
        assert str(tmp_path) not in str(error.value) and not isinstance(error.value, RefusedError)


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
        assert str(repository) in told, "for the operator"
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
