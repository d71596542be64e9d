"""The examples call verbs that there are, with options that these take."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, ClassVar

import pytest

from tests.docs.blocks import parse

EXAMPLES = Path(__file__).parents[2] / "examples"
AIRFLOW = shutil.which("airflow")


class Task:
    """What the DAG needs of an operator of Airflow, which is not installed here."""

    all: ClassVar[dict[str, Task]] = {}

    def __init__(self, task_id: str, bash_command: str, **settings: Any) -> None:
        self.id, self.settings = task_id, settings
        # As Airflow fills it in.
        self.command = bash_command.replace("{{ ds }}", "2025-01-31")
        self.after: set[str] = set()
        Task.all[task_id] = self

    def __rshift__(self, following: Task | list[Task]) -> Task | list[Task]:
        for task in following if isinstance(following, list) else [following]:
            task.after.add(self.id)
        return following

    def __rrshift__(self, before: list[Task]) -> Task:
        self.after.update(task.id for task in before)
        return self


class Dag:
    def __init__(self, dag_id: str, **settings: Any) -> None:
        self.id, self.settings = dag_id, settings

    def __enter__(self) -> Dag:
        return self

    def __exit__(self, *raised: type | BaseException | TracebackType | None) -> None:
        pass


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Task]:
    names = ["airflow", "airflow.sdk", "airflow.providers", "airflow.providers.standard"]
    names += ["airflow.providers.standard.operators", "airflow.providers.standard.operators.bash"]
    for name in names:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["airflow.sdk"].DAG = Dag  # type: ignore[attr-defined]
    sys.modules[names[-1]].BashOperator = Task  # type: ignore[attr-defined]
    Task.all = {}
    exec(compile((EXAMPLES / "airflow_dag.py").read_text(), "airflow_dag.py", "exec"), {})
    return Task.all


def require_verb(words: list[str]) -> str:
    """Parse a command of m2trec, and return its verb."""
    parse(words)
    return words[0]


def commands(text: str) -> Iterator[list[str]]:
    for line in re.findall(r"m2trec ([a-z].*?)(?=&&|\|\||; (?:then|answer)|$)", text, re.MULTILINE):
        yield shlex.split(line)


def test_the_dag_does_a_day(tasks: dict[str, Task]) -> None:
    verbs = {name: [require_verb(w) for w in commands(task.command)] for name, task in tasks.items()}
    assert verbs == {
        "data": ["data"],
        "drift": ["drift"],
        "go_on": ["train"],
        "from_scratch": ["preprocess", "train"],
        "evaluate": ["evaluate"],
        "export": ["export"],
        "promote": ["promote"],
        "restart": [],
    }
    assert {name: sorted(task.after) for name, task in tasks.items()} == {
        "data": [],
        "drift": ["data"],
        "go_on": ["drift"],
        "from_scratch": ["drift"],
        "evaluate": ["from_scratch", "go_on"],
        "export": ["evaluate"],
        "promote": ["export"],
        "restart": ["promote"],
    }


def test_the_script_does_the_same() -> None:
    text = (EXAMPLES / "daily.sh").read_text()
    verbs = [require_verb(words) for words in commands(text)]
    assert verbs == ["data", "drift", "train", "preprocess", "train", "evaluate", "export", "promote"]


ANSWERS = [
    (0, 0, 0, "data drift train evaluate export promote"),
    (3, 3, 0, "data drift preprocess train evaluate export promote"),
    (1, 0, 1, "data drift"),
    (0, 1, 1, "data drift train evaluate export promote"),
    (4, 0, 0, "data drift"),
]


def stand_in(folder: Path, drift: int, promote: int) -> dict[str, str]:
    """Write an m2trec that notes its verb and answers so; returns an environment that finds it."""
    program = folder / "m2trec"
    program.write_text(
        f'#!/bin/sh\nmkdir -p runs/2025-01-31\necho "$1" >> {folder}/called\n'
        f'case "$1" in drift) exit {drift};; promote) exit {promote};; esac\n'
    )
    restart = folder / "systemctl"
    restart.write_text(f'#!/bin/sh\necho "$1" >> {folder}/called\n')
    for each in (program, restart):
        each.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.parametrize(("drift", "promote", "status", "called"), ANSWERS)
def test_the_script_tells_answers_from_failures(
    tmp_path: Path, drift: int, promote: int, status: int, called: str
) -> None:
    done = subprocess.run(
        ["/bin/sh", EXAMPLES / "daily.sh"],
        cwd=tmp_path,
        env=stand_in(tmp_path, drift, promote),
        capture_output=True,
        check=False,
    )
    assert done.returncode == status
    assert (tmp_path / "called").read_text().split() == called.split()


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What Airflow is called with, its database made."""
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "0",
    }
    assert AIRFLOW is not None
    subprocess.run([AIRFLOW, "db", "migrate"], env={**os.environ, **environment}, check=True)
    return environment


@pytest.mark.slow
@pytest.mark.skipif(not AIRFLOW, reason="needs Airflow 3, and finds none")
@pytest.mark.parametrize(("drift", "promote", "status", "called"), ANSWERS)
def test_airflow_tells_answers_from_failures(
    airflow: dict[str, str], tmp_path: Path, drift: int, promote: int, status: int, called: str
) -> None:
    assert AIRFLOW is not None
    dags = Path(airflow["AIRFLOW__CORE__DAGS_FOLDER"])
    dags.mkdir(exist_ok=True)
    dag = (EXAMPLES / "airflow_dag.py").read_text()
    (dags / "daily.py").write_text(dag.replace("/srv/shop", str(tmp_path)))
    done = subprocess.run(
        [AIRFLOW, "dags", "test", "m2trec_daily", "2025-01-31"],
        env={**os.environ, **airflow, **stand_in(tmp_path, drift, promote)},
        capture_output=True,
        check=False,
    )
    verbs = called.split()
    # What fails is tried once more; where the new model takes over, the server starts again.
    after = verbs[-1:] if status else [] if promote or drift == 4 else ["restart"]
    assert (done.returncode, (tmp_path / "called").read_text().split()) == (status, [*verbs, *after])
