"""Progress shown to a person: lines, and bars on a terminal."""

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
    """Print lines, and show each task as a bar; a context manager, because bars must be removed in the end.

    The finished bar of a task without notes stays visible, as nothing else reports the task. A step whose
    tasks have notes also prints lines with its results, so its bars disappear, and are not shown at all if
    the output is not a terminal.

    Args:
        console: the console to print to.
    """

    def __init__(self, console: Console = standard_output) -> None:
        self.console = console
        self._bars: _Bars | None = None

    def say(self, line: str) -> None:
        """Print a line without markup, below the bars of finished tasks and above those of running ones."""
        if self._bars is not None and self._bars.finished:
            self._take_down()
        self.console.print(complete(line), markup=False, highlight=False, soft_wrap=True)

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Move the bar of a task."""
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
    """Bars of several tasks, one below the other."""

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
