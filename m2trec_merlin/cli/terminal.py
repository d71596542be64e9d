"""Where the command line writes: results to one stream, errors to the other."""

from rich.console import Console

console = Console()
errors = Console(stderr=True)
