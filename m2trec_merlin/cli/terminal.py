"""The consoles of the command line: results go to standard output, errors to standard error."""

import rich.markup
from rich.console import Console

# Text between colons may be an id, a path or a value.
console = Console(emoji=False)
errors = Console(stderr=True, emoji=False)


def print_plain(text: str, to: Console = console) -> None:
    """Print a line unchanged: no markup, no highlighting, no line breaks."""
    to.print(text, markup=False, highlight=False, soft_wrap=True)


def escape(text: str) -> str:
    """Escape text for Rich markup.

    Unprintable characters are replaced, because a terminal may take them for commands.
    """
    shown = (c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return rich.markup.escape("".join(shown))
