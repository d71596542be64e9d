"""Every block of the tutorial runs, on fewer baskets and with a smaller model."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from m2trec_merlin.cli.app import app
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
from tests.docs.blocks import Block, read_blocks

pytestmark = [pytest.mark.triton, pytest.mark.slow]

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
#: For verbs that make something of the data.
SMALLER = [
    *("training.epochs=1", "training.threads=1", "model.width=16", "model.session.heads=2"),
    *("model.session.feedforward=32", "evaluation.max_prefixes=1000", "evaluation.bootstrap_samples=20"),
]
MAKING = {"data", "preprocess", "train", "evaluate", "export"}


class Reader:
    """Does what the page says, and keeps what is printed."""

    def __init__(self) -> None:
        self.ports = Ports.free()
        self.servers = contextlib.ExitStack()

    def run(self, language: str, text: str) -> str:
        if language == "python":
            printed = io.StringIO()
            code = text.replace("sample(100,", "sample(25,")
            code = code.replace("127.0.0.1:8001", f"127.0.0.1:{self.ports.grpc}")
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "tutorial.md", "exec"), {})
            return printed.getvalue()
        return "".join(self.command(line) for line in text.splitlines())

    def command(self, line: str) -> str:
        if not line.startswith("m2trec "):
            subprocess.run(line, shell=True, check=True)
            return ""
        words = shlex.split(line)[1:]
        if words[0] == "serve":
            # What the verb starts, at ports that are free.
            self.servers.enter_context(TritonServer(Path("runs/shop/triton"), self.ports, 120))
            return ""
        if words[0] in MAKING:
            words += [word for setting in SMALLER for word in ("-s", setting)]
        if words[0] == "recommend":
            words += ["--address", f"127.0.0.1:{self.ports.grpc}"]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, (line, result.output, result.exception)
        return result.output


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.chdir(tmp_path)
    reader = Reader()
    with reader.servers:
        yield reader


#: Of what a person sees: figures, in which of them a processor multiplies, and how tables are drawn; of
#: parentheses, what is inside.
_MASKED = re.compile(r"b?float\d\d|[\d.,%-]+|\s+|\(.*?\)|[┏┃┡│└─━┳┓╇┩┴┘]")


def sentences(text: str) -> set[str]:
    """What is said, without figures, spaces and what depends on the data."""
    lines = [line for line in text.splitlines() if not line.startswith("│")]
    lines = [re.sub(r"(?<=^Next )(\w+): .*", r"\1", line) for line in lines]
    lines = [re.sub(r"(?<=^mixture chosen on validation).*", "", line) for line in lines]
    return {_MASKED.sub("", line) for line in lines} - {""}


def rows(text: str) -> int:
    """Of a table of recommendations; a long one takes several lines."""
    return len(re.findall(r"^│ \d", text, re.MULTILINE))


def test_every_block_runs_and_prints_what_the_page_shows(reader: Reader) -> None:
    before: Block | None = None
    printed = ""
    for block in read_blocks(PAGE):
        if block.language:
            before, printed = block, reader.run(block.language, block.text)
        elif before is None or "m2trec serve" in before.text:
            continue  # what the verb prints of its server
        elif before.language == "python":
            assert len(printed.splitlines()) == len(block.text.splitlines())
        else:
            assert sentences(block.text) <= sentences(printed), before.text
            assert rows(block.text) == rows(printed)
