"""The command `radontv`, also as `python -m radontv`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is imported ends without a traceback."""
    try:
        from radontv.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
