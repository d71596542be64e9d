"""`python workflows/items.py` and `python workflows/sessions.py`: run each workflow by itself.

Together they do the work of `m2trec preprocess`, for instance in a Merlin container, where this package need
not be installed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from m2trec_merlin.config import Config, load_config
from m2trec_merlin.errors import message_of
from m2trec_merlin.preprocessing.run import preprocess_items, preprocess_sessions
from m2trec_merlin.progress import Lines


def run_items(arguments: list[str] | None = None) -> int:
    """Fit and apply the items workflow; return the exit status."""
    return _run("items.py", "Fit the items workflow and write the catalogue.", arguments)


def run_sessions(arguments: list[str] | None = None) -> int:
    """Apply the sessions workflow after the items workflow; return the exit status."""
    return _run("sessions.py", "Turn interactions into sessions of catalogue rows.", arguments)


def _run(program: str, purpose: str, arguments: list[str] | None) -> int:
    parser = argparse.ArgumentParser(prog=program, description=purpose)
    parser.add_argument("--config", required=True, type=Path, help="configuration file (YAML or TOML)")
    parser.add_argument("--work-dir", type=Path, help="folder of the run; default: as configured")
    parser.add_argument("--dask", help="local:N for N processes, or a scheduler's address (tcp://...)")
    options = parser.parse_args(arguments)
    step = preprocess_items if program == "items.py" else preprocess_sessions
    try:
        step(_load(options), options.dask, Lines())
    except Exception as error:
        if (message := message_of(error)) is None:
            raise
        print(f"Error: {message}", file=sys.stderr)
        return 1
    return 0


def _load(options: argparse.Namespace) -> Config:
    overrides = {} if options.work_dir is None else {"work_dir": str(options.work_dir)}
    return load_config(options.config, overrides)
