"""The command `radontv`, also as `python -m radontv`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is imported ends with one line."""
    try:
        from radontv.cli import main as run

        run()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
