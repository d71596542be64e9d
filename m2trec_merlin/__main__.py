"""`m2trec`, and `python -m m2trec_merlin`: what `torchrun -m m2trec_merlin train` starts."""

import sys


def main() -> None:
    """Run the command line, whose import takes a moment in which Ctrl-C is no error either."""
    try:
        from m2trec_merlin.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
