"""What every `Progress` takes, and what those show that show something."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from m2trec_merlin.cli.progress import TerminalProgress
from m2trec_merlin.progress import SILENT, Lines, Progress
from tests.told import Told

LINE = (
    "written to runs/[eu] shop/[bold]model[/bold] in 1.5 s, " + "and a path that is longer than a line " * 3
)


def silent(output: io.StringIO) -> Progress:
    return SILENT


def lines(output: io.StringIO) -> Progress:
    return Lines(lambda line: print(line, file=output))


def file(output: io.StringIO) -> Progress:
    return TerminalProgress(Console(file=output, width=80))


def terminal(output: io.StringIO) -> Progress:
    return TerminalProgress(Console(file=output, width=80, force_terminal=True, color_system=None))


def told(output: io.StringIO) -> Progress:
    return Told()


Make = Callable[[io.StringIO], Progress]
EVERY = pytest.mark.parametrize("make", [silent, lines, file, terminal, told])
SPEAKING = pytest.mark.parametrize("make", [lines, file, terminal])


def end(progress: Progress) -> None:
    if isinstance(progress, TerminalProgress):
        progress.__exit__(None, None, None)


@EVERY
def test_a_whole_story_can_be_told(make: Make) -> None:
    progress = make(io.StringIO())
    progress.say(LINE)
    for task in ("one", "two [x]"):
        for done in range(4):
            progress.advance(task, done, 3)
    progress.say("between")
    progress.advance("training", 0, 100, "loss -")
    progress.say("epoch 1")
    progress.advance("training", 40, 100, "loss 1.5")
    progress.advance("training", 40, 40, "loss 1.5")  # stopped early
    progress.advance("one", 0, 0)
    progress.advance("one", 1, 2)  # and is never finished
    end(progress)
    end(progress)


@SPEAKING
def test_lines_come_once_in_order_and_as_they_are(make: Make) -> None:
    output = io.StringIO()
    progress = make(output)
    said = [LINE, "epoch  1  loss 1.5", "two\nlines", "epoch  2  loss 1.25"]
    for number, line in enumerate(said):
        progress.advance("training", number, len(said), f"loss {number}")
        progress.say(line)
    end(progress)
    places = [output.getvalue().find(f"{line}\n") for line in said]
    assert -1 not in places
    assert places == sorted(places)
    assert all(output.getvalue().count(f"{line}\n") == 1 for line in said)


@SPEAKING
def test_a_finished_task_is_shown_before_what_came_out(make: Make) -> None:
    output = io.StringIO()
    progress = make(output)
    for done in (0, 1, 2):
        progress.advance("sessions [train]", done, 2)
    progress.say("sessions, train: 5")
    end(progress)
    text = output.getvalue()
    assert text.rindex("sessions [train]") < text.index("sessions, train: 5")


def test_a_file_gets_bars_that_are_all_there_is_and_no_others() -> None:
    output = io.StringIO()
    with TerminalProgress(Console(file=output, width=80)) as progress:
        for task in ("vocabularies", "catalogue"):
            progress.advance(task, 0, 1)
            progress.advance(task, 1, 1)
        progress.say("catalogue: 5 items")
        progress.advance("training", 1, 1, "loss 1.5")
        progress.say("epoch  1  loss 1.5")
    bar = "━" * 40
    assert output.getvalue().splitlines() == [
        f"vocabularies {bar} 1/1 0:00:00",
        f"catalogue    {bar} 1/1 0:00:00",
        "catalogue: 5 items",
        "epoch  1  loss 1.5",
    ]


def test_a_terminal_shows_notes_while_a_task_goes_on() -> None:
    output = io.StringIO()
    console = Console(file=output, width=80, force_terminal=True, color_system=None)
    with TerminalProgress(console) as progress:
        progress.advance("training", 1, 2, "loss [1.5]")
    assert "loss [1.5]" in output.getvalue()


def test_bars_are_taken_down_when_a_step_fails() -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    with pytest.raises(RuntimeError), TerminalProgress(console) as progress:
        progress.advance("training", 1, 2, "loss")
        raise RuntimeError
    with TerminalProgress(console) as another:
        another.advance("scoring", 1, 2)  # rich allows one display at a time


def test_scripts_tell_tasks_when_they_are_done() -> None:
    said: list[str] = []
    progress = Lines(said.append)
    for done in (0, 1000, 2000):
        progress.advance("catalogue", done, 2000)
    progress.advance("training", 3, 3, "loss 1.5")
    assert said == ["catalogue: 2,000 of 2,000", "training: 3 of 3, loss 1.5"]
