"""The section `preprocessing`."""

from __future__ import annotations

from typing import Literal

from m2trec_merlin.sections import Section


class PreprocessingConfig(Section):
    """Where the workflows run: on cuDF or pandas. It changes nothing of what they write."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
