"""Which package brings a module, as `importlib.metadata.packages_distributions` tells from Python 3.11 on."""

from __future__ import annotations

from importlib.metadata import Distribution, distributions


def packages_by_module() -> dict[str, set[str]]:
    """Return the names of the installed packages that bring each module of the first level."""
    found: dict[str, set[str]] = {}
    for package in distributions():
        for module in _modules_of(package):
            found.setdefault(module, set()).add(package.metadata["Name"])
    return found


def _modules_of(package: Distribution) -> set[str]:
    # Newer packages tell nothing but their files, which Python 3.10 does not look at.
    told = (package.read_text("top_level.txt") or "").split()
    files = (file for file in package.files or () if file.suffix in (".py", ".so"))
    return set(told or (file.parts[0].split(".")[0] for file in files))
