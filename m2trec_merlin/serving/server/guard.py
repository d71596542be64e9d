"""A shell that waits for the end of this process, and then ends the processes that it started.

It is needed because a program that is killed cannot clean up itself.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

#: `read` returns when the other end of the pipe is closed, however this process ended.
_SCRIPT = """
read -r _
kill -s TERM -- "-$1" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 -- "-$1" 2>/dev/null || break; sleep 0.5; done
kill -s KILL -- "-$1" 2>/dev/null
rm -rf -- "$2"
rm -f -- "$3"*
"""


class Guard:
    """Ends a process group and removes its files if this process ends without calling `dismiss`.

    Args:
        group: process id of the group's leader.
        folder: folder to remove.
        files: common beginning of the paths of files to remove.
    """

    def __init__(self, group: int, folder: Path, files: Path) -> None:
        # In a session of its own, since Ctrl-C reaches all processes of the terminal's session.
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "m2trec-guard", str(group), str(folder), str(files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """End the guard, before this process ends the group itself."""
        self._shell.kill()
        self._shell.communicate()
