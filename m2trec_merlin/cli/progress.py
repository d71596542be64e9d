"""Progress as a person sees it: lines, and bars on a terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from m2trec_merlin.cli.remedies import complete
from m2trec_merlin.cli.terminal import console as standard_output


class TerminalProgress:
    """Shows each line, and each task as a bar; a context manager, as bars have to be taken down.

    A finished bar stays in sight if it is all that was told of its task. A task with notes is one whose step
    says in lines what came out, so its bar goes, and where the output is no terminal there is none.

    Args:
        console: where to.
    """

    def __init__(self, console: Console = standard_output) -> None:
        self.console = console
        self._bars: _Bars | None = None

    def say(self, line: str) -> None:
        """Print the line as it is, below the bars of finished tasks or above those of running ones."""
        if self._bars is not None and self._bars.finished:
            self._take_down()
        self.console.print(complete(line), markup=False, highlight=False, soft_wrap=True)

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Move the bar of the task."""
        if self._bars is not None and self._bars.go_away != bool(note):
            self._take_down()
        if note and not self.console.is_terminal:
            return
        if self._bars is None:
            self._bars = _Bars(self.console, go_away=bool(note))
            self._bars.start()
        self._bars.show(task, done, total, note)

    def __enter__(self) -> TerminalProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._take_down()

    def _take_down(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


class _Bars(Progress):
    """The bars of some tasks, below each other."""

    def __init__(self, console: Console, go_away: bool) -> None:
        self.go_away = go_away
        note: list[ProgressColumn] = [TextColumn("{task.fields[note]}", markup=False)] if go_away else []
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            *note,
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            transient=go_away,
        )
        self._ids: dict[str, TaskID] = {}

    def show(self, task: str, done: int, total: int, note: str) -> None:
        if task not in self._ids:
            self._ids[task] = self.add_task(task, total=total, note=note)
        self.update(self._ids[task], completed=done, total=total, note=note)
