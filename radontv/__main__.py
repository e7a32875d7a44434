"""`python -m radontv` is the command `radontv`."""

from radontv.cli import main

if __name__ == "__main__":
    main()
