"""`m2trec check`: report what is wrong with configuration and tables, with an exit code for schedulers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from m2trec_merlin.cli.terminal import print_plain
from m2trec_merlin.config import Config
from m2trec_merlin.errors import CommandLineError, M2TRecError

#: Exit codes; every verb that fails returns 1.
VALID, INVALID = 0, 1


def run_check(read: Callable[[], Config], as_json: bool) -> int:
    """Check configuration and tables, print what was found, and return the exit code.

    Args:
        read: a function that reads the configuration.
        as_json: whether to print JSON instead of one problem per line.

    Raises:
        CommandLineError: the command line is wrong, so that nothing was checked.
    """
    problems: list[str] = []
    notices: list[str] = []
    counts: dict[str, Any] | None = None
    try:
        config = read()
        from m2trec_merlin.data.counting import check_data

        counted = check_data(config)
        counts, notices = counted.as_dict(), counted.data.notices
    except CommandLineError:
        raise  # nothing was checked
    except M2TRecError as error:
        problems = error.problems
    if as_json:
        found = {"valid": not problems, "problems": problems, "notices": notices, "counts": counts}
        print_plain(json.dumps(found, indent=1))
    elif counts is not None:
        splits = ", ".join(f"{counts[name]['sessions']:,} for {name}" for name in ("train", "valid", "test"))
        print_plain(f"valid: sessions {splits}; {counts['items']:,} items")
        for notice in notices:
            print_plain(notice)
    else:
        for problem in problems:
            # Names of columns may hold line breaks.
            print_plain(" ".join(problem.splitlines()))
    return INVALID if problems else VALID


def print_schema(config: Config) -> None:
    """Print the JSON Schemas of configurations, and of the rows of tables that this one expects."""
    from m2trec_merlin.data.schema import schemas

    print_plain(json.dumps(schemas(config), indent=1))
