"""What the models are told by whoever starts Triton, and no export decides: an environment variable.

Triton hands its environment on to the workers of its models; nothing else reaches them at their start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal, get_args

from m2trec_merlin.errors import ConfigError

VARIABLE = "M2TREC_SERVING"

#: Requests that leave a line of JSON.
LogJson = Literal["none", "faulty", "all"]


@dataclass(frozen=True)
class Surroundings:
    """What an environment says.

    Attributes:
        log_json: whether each request leaves a line of JSON, or only those refused: none, faulty, all.
        lines_to: file descriptor that these lines go to.
        shown: folder for the log of what was asked and shown; empty for none.
        shown_days: after which its files are removed.
        beside: a second model repository, which answers some sessions; empty for none.
        share: of the sessions that the second one answers.
        under_way: folder where each worker counts its requests, see `under_way.py`; empty for nowhere.
    """

    log_json: str = "none"
    lines_to: int = 1
    shown: str = ""
    shown_days: int = 7
    beside: str = ""
    share: float = 0.0
    under_way: str = ""

    def variables(self) -> dict[str, str]:
        """Return the environment variable that says this."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Surroundings:
        """Return what an environment says.

        Raises:
            ConfigError: it says something else.
        """
        text = environment.get(VARIABLE, "{}")
        try:
            told = cls(**json.loads(text))
            if told.log_json not in get_args(LogJson):
                raise ValueError(f"log_json is one of {', '.join(get_args(LogJson))}")
            return told
        except (ValueError, TypeError) as error:
            known = ", ".join(field.name for field in fields(cls))
            raise ConfigError(
                f"{VARIABLE}={text}: expected a JSON object with any of {known} ({error})"
            ) from None
