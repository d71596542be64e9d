"""Settings of a server that are not part of the export, passed to the models in an environment variable.

Triton passes its environment on to the workers of its models; there is no other way to reach them at start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal, get_args

from m2trec_merlin.errors import ConfigError

VARIABLE = "M2TREC_SERVING"

#: Which requests are logged as a line of JSON.
LogJson = Literal["none", "faulty", "all"]


@dataclass(frozen=True)
class ServerSettings:
    """Settings of a server that are not part of the export.

    Attributes:
        log_json: which requests are logged as a line of JSON: none, faulty (refused or failed), all.
        lines_to: file descriptor that these lines are written to.
        shown: folder for the log of requests and recommendations, or "".
        shown_days: days after which files of this log are removed.
        beside: path of a second model repository, which answers some sessions, or "".
        share: share of the sessions that the second one answers.
        under_way: folder where each worker counts its requests, see `under_way.py`, or "".
    """

    log_json: str = "none"
    lines_to: int = 1
    shown: str = ""
    shown_days: int = 7
    beside: str = ""
    share: float = 0.0
    under_way: str = ""

    def variables(self) -> dict[str, str]:
        """Return the environment variable that holds these settings."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> ServerSettings:
        """Read the settings from an environment.

        Raises:
            ConfigError: the variable is not valid.
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
