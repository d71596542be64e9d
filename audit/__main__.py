"""`make audit`. Exit code 0: only accepted findings; 1: other findings; 2: not all could be looked up."""

from __future__ import annotations

import sys

from audit.findings import read_accepted, verdict
from audit.lookup import installed, look_up
from m2trec_merlin.errors import M2TRecError


def main() -> int:
    """Look up all installed packages, and print the findings."""
    try:
        accepted = read_accepted()
        code, lines = verdict(look_up(installed()), accepted)
    except M2TRecError as error:
        code, lines = 2, [f"NOT AUDITED: {error}"]
    print("\n".join(lines), file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
