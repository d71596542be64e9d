"""Pack all that `python -m benchmarks gpu` needs on a machine without a network, in files of 46 MiB each.

    python -m benchmarks gpu-kit --folder kit -c configs/diginetica_prepared.yaml configs/instacart.yaml
    python -m benchmarks gpu-kit --folder kit --dry-run    # a package of a few KiB instead of them all

Installs the packages of gpu/requirements.txt for the machine's Python into a folder, removes what is not
needed there (headers, machine code of other GPUs), adds the preprocessed runs, and packs all of it. Copy the
parts to the machine and pass their folder there as --kit.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from benchmarks.frame.parse import Parser
from benchmarks.gpu.fatbin import keep_architecture
from benchmarks.gpu.parts import PART_SIZE, pack
from m2trec_merlin.errors import M2TRecError
from m2trec_merlin.manifests import require_manifest

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
#: Folders and files of packages to remove; CuPy's own headers stay, because it compiles against them.
UNNEEDED = (
    "include",
    "libcudf/include",
    "librmm/include",
    "libkvikio/include",
    "rapids_logger/include",
    "pyarrow/include",
    "numpy/core/include",
    "**/tests",
    *("**/*.c", "**/*.cpp", "**/*.pyx", "**/*.pyi"),
    "**/__pycache__",
    "bin",
)
#: Packages whose wheels exist for one Python only, because of an extension that our code does not use.
COPIED = ("nvtabular",)
_LEAST_LIBRARY = 1 << 20


def options(parser: Parser) -> None:
    parser.add_argument("--folder", type=Path, default=Path("kit"), help="where the parts go (default: kit)")
    parser.add_argument("-c", "--config", type=Path, nargs="*", default=[], help="runs to carry")
    parser.add_argument("--python", default="3.12", help="of the machine (default: 3.12)")
    parser.add_argument("--architecture", type=int, default=90, help="of its GPU (default: 90, Hopper)")
    parser.add_argument("--dry-run", action="store_true", help="carry one small package")


def run(options: Namespace) -> None:
    folder: Path = options.folder
    staged = folder / "staged"
    shutil.rmtree(staged, ignore_errors=True)
    requirements = ["pytz==2024.2"] if options.dry_run else ["--requirement", str(REQUIREMENTS)]
    install(requirements, staged / "site", options.python)
    for name in COPIED:
        copy_installed(name, staged / "site")
    blanked = strip(staged / "site", options.architecture)
    print(f"blanked {blanked >> 20} MiB of machine code for other GPUs", flush=True)
    for config in options.config:
        add_run(config, staged / "runs")
    for old in folder.glob("part-*"):
        old.unlink()
    parts = pack(staged, folder, PART_SIZE, preset=1 if options.dry_run else 9)
    shutil.rmtree(staged)
    for part in parts:
        print(f"{part}: {part.stat().st_size / (1 << 20):.1f} MiB")


def install(requirements: Sequence[str], site: Path, python: str) -> None:
    """Install packages for another Python and a machine with glibc 2.28 into a folder.

    Raises:
        M2TRecError: uv failed; the message says why.
    """
    command = ["uv", "pip", "install", "--quiet", "--target", str(site), "--no-deps", "--no-config"]
    command += ["--python-version", python, "--python-platform", "x86_64-manylinux_2_28"]
    done = subprocess.run([sys.executable, "-m", *command, *requirements], capture_output=True, text=True)
    if done.returncode:
        raise M2TRecError(f"packages of the kit cannot be installed: {done.stderr.strip()}")


def copy_installed(name: str, site: Path) -> None:
    """Copy the Python files of a package that is installed here."""
    distribution = metadata.distribution(name)
    for file in distribution.files or []:
        if ".." in file.parts or ".so" in file.suffixes:
            continue
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(distribution.locate_file(file)), target)


def strip(site: Path, architecture: int) -> int:
    """Remove what is not needed to run; return how many bytes of machine code were blanked."""
    for pattern in UNNEEDED:
        for path in list(site.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    blanked = 0
    for path in site.rglob("*.so*"):
        if path.is_symlink() or path.stat().st_size < _LEAST_LIBRARY:
            continue
        library = bytearray(path.read_bytes())
        if found := keep_architecture(library, architecture):
            path.unlink()  # the file may be a hard link into a cache, which must not change
            path.write_bytes(library)
            blanked += found
    return blanked


def add_run(config: Path, runs: Path) -> None:
    """Preprocess the data of a configuration, and keep only the result."""
    from benchmarks.gpu.runs import CONFIG, write_run
    from m2trec_merlin.config import load_config
    from m2trec_merlin.runs import RunFolder

    read = load_config(config)
    folder = runs / read.name
    write_run(read, folder)
    kept = RunFolder(folder, folder).preprocessed
    for path in folder.iterdir():
        if path not in (folder / CONFIG, kept):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    events = require_manifest(kept, "preprocess")["sessions"]["train"]["events"]
    print(f"{read.name}: {events:,} events of training", flush=True)
