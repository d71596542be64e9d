"""The verb `doctor`: runs all checks of the machine, even if some of them fail."""

from __future__ import annotations

from collections.abc import Callable

from m2trec_merlin.config import Config
from m2trec_merlin.diagnosis.findings import Finding, State
from m2trec_merlin.diagnosis.libraries import (
    check_baselines,
    check_cudf,
    check_gpu,
    check_merlin,
    check_page,
    check_sentences,
    check_serving_packages,
    check_tracking,
    check_versions,
)
from m2trec_merlin.diagnosis.machine import check_disk, check_processor, check_python
from m2trec_merlin.diagnosis.memory import check_memory
from m2trec_merlin.diagnosis.triton import check_libpython, check_ports, check_triton

#: A function that checks the machine for a configuration, or in general if that is None.
Check = Callable[[Config | None], Finding]

#: The checks by name, in order.
CHECKS: dict[str, Check] = {
    "Python": check_python,
    "processor": check_processor,
    "memory": check_memory,
    "disk": check_disk,
    "Merlin": check_merlin,
    "versions": check_versions,
    "GPU": check_gpu,
    "cuDF": check_cudf,
    "sentences": check_sentences,
    "tracking": check_tracking,
    "baselines": check_baselines,
    "serving": check_serving_packages,
    "page": check_page,
    "libpython": check_libpython,
    "Triton": check_triton,
    "ports": check_ports,
}


def diagnose(config: Config | None) -> dict[str, Finding]:
    """Return the findings of all checks, by name.

    Args:
        config: configuration of the run to make or serve here; None to check the machine alone.
    """
    return {name: _run(check, config) for name, check in CHECKS.items()}


def _run(check: Check, config: Config | None) -> Finding:
    try:
        return check(config)
    except Exception as error:  # a broken library can raise anything, and this verb has to report it
        said = " ".join(str(error).split())
        return Finding(
            State.BLOCKED,
            f"{type(error).__name__}: {said}",
            "the verbs that need it fail in the same way",
            "install with overrides.txt, as docs/dependencies.md says",
        )
