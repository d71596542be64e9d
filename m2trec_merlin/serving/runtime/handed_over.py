"""What is added to the options that the first step hands over, without reading them again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from m2trec_merlin.serving.contract.names import CHECKED


def add_to_checked(handed_over: Mapping[str, np.ndarray], name: str, value: Any) -> dict[str, np.ndarray]:
    """Return tensors whose JSON object `CHECKED` has one more entry, in front."""
    added = json.dumps({name: value})[:-1].encode() + b", "
    checked = added + handed_over[CHECKED].item()[1:]
    return {**handed_over, CHECKED: np.array([[checked]], dtype=object)}
