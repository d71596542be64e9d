"""The section `preprocessing`."""

from __future__ import annotations

from typing import Literal

from m2trec_merlin.sections import Section


class PreprocessingConfig(Section):
    """Where the workflows run: on cuDF or pandas. This does not change their results."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
