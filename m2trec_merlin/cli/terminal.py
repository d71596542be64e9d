"""Where the command line writes: results to one stream, errors to the other."""

import rich.markup
from rich.console import Console

# Text between colons may be an id, a path or a value.
console = Console(emoji=False)
errors = Console(stderr=True, emoji=False)


def print_plain(text: str) -> None:
    """Print a line as it is, whatever it holds and however narrow the terminal is."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def escape(text: str) -> str:
    """Return any text as markup that shows it.

    Characters that no terminal shows, and which may command it, stand as a replacement.
    """
    shown = (c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return rich.markup.escape("".join(shown))
