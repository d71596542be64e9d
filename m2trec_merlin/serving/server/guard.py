"""A shell that waits for the end of this process, and then ends what it started.

A program that is killed cleans up nothing itself.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

#: Reading ends with the other end of the pipe, however that came about.
_SCRIPT = """
read -r _
kill -s TERM -- "-$1" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 -- "-$1" 2>/dev/null || break; sleep 0.5; done
kill -s KILL -- "-$1" 2>/dev/null
rm -rf -- "$2"
rm -f -- "$3"*
"""


class Guard:
    """Ends a process group, and removes its files, when this process ends without having called `dismiss`.

    Args:
        group: leader of the process group.
        folder: is removed.
        files: path that the files to be removed begin with.
    """

    def __init__(self, group: int, folder: Path, files: Path) -> None:
        # A session of its own: Ctrl-C goes to all processes of the terminal's.
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "m2trec-guard", str(group), str(folder), str(files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Let the group be: this process ends it itself."""
        self._shell.kill()
        self._shell.communicate()
