"""Settings that `m2trec serve` passes to the models: logs, a second model, a folder to count requests in."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from m2trec_merlin.artifacts import reading
from m2trec_merlin.config.serving import ShownLogConfig
from m2trec_merlin.contract.names import ENSEMBLE
from m2trec_merlin.contract.server_settings import LogJson, ServerSettings
from m2trec_merlin.errors import ServerError, reason_of

#: The setting of the largest batch may differ; that of the first repository holds for both.
_BATCH = re.compile(r"^max_batch_size: \d+$", re.MULTILINE)
#: Subfolder of the folder with a plain path, where workers count their requests.
UNDER_WAY = "under_way"


@dataclass(frozen=True)
class Beside:
    """A second model to serve beside the first.

    Attributes:
        repository: its model repository.
        share: share of the sessions that it answers, between 0 and 1.
    """

    repository: Path
    share: float

    def require_alike(self, repository: Path) -> None:
        """Check that its requests and answers have the same form as those of another repository.

        Raises:
            ArtifactError: one of the two is no model repository.
            ServerError: the two predict different attributes or take different tensors, or are the same.
        """
        if repository.resolve() == self.repository.resolve():
            raise ServerError(
                f"{self.repository} is the very model that it is to be served beside: name another"
            )
        forms = []
        for each in (repository, self.repository):
            config = each / ENSEMBLE / "config.pbtxt"
            with reading(config, "export"):
                forms.append(_BATCH.sub("", config.read_text(encoding="utf-8")))
        if forms[0] != forms[1]:
            raise ServerError(
                f"{self.repository} cannot be served beside {repository}: it predicts other attributes of "
                "the next item, one of them alone reads attributes of events, or it was exported by another "
                "version of m2trec-merlin"
            )


@dataclass(frozen=True)
class Instructions:
    """Settings of a server's models that are not part of the export.

    Attributes:
        log_json: which requests are logged as a line of JSON on standard output.
        log: settings of the log of requests and recommendations; None for no log.
        beside: a second model to serve; None for none.
    """

    log_json: LogJson = "none"
    log: ShownLogConfig | None = None
    beside: Beside | None = None

    @contextmanager
    def laid_out(self, folder: Path) -> Iterator[tuple[dict[str, str], list[int]]]:
        """Yield environment variables for Triton, and file descriptors that it has to inherit.

        Args:
            folder: folder with a plain path, where links lead the models to other folders.

        Raises:
            ServerError: the folder of the log cannot be written to.
        """
        (folder / UNDER_WAY).mkdir()
        settings = ServerSettings(self.log_json, under_way=str(folder / UNDER_WAY))
        if self.log is not None:
            (folder / "shown").symlink_to(_made(self.log.folder))
            settings = replace(settings, shown=str(folder / "shown"), shown_days=self.log.days)
        if self.beside is not None:
            (folder / "beside").symlink_to(self.beside.repository.resolve())
            settings = replace(settings, beside=str(folder / "beside"), share=self.beside.share)
        # Workers write their lines themselves, but their standard output is Triton's log.
        lines_to = [] if self.log_json == "none" else [os.dup(sys.stdout.fileno())]
        for descriptor in lines_to:
            settings = replace(settings, lines_to=descriptor)
        try:
            yield settings.variables(), lines_to
        finally:
            for descriptor in lines_to:
                os.close(descriptor)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{os.getpid()}.tmp"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ServerError(f"serving.log.folder {folder}: {reason_of(error)}") from None
    return folder.resolve()


#: No logs, and no second model.
NOTHING = Instructions()
