"""Where the command line writes: results to one stream, errors to the other."""

from rich.console import Console

console = Console()
errors = Console(stderr=True)


def print_plain(text: str) -> None:
    """Print a line as it is, whatever it holds and however narrow the terminal is."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
