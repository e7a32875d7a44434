"""Files that are either written completely or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to, and move what is there to `path` at the end.

    After a fault or Ctrl-C the old file, if there was one, is still there and unchanged.
    """
    if path.exists() and not path.is_file():  # a pipe or a device such as /dev/stdout
        yield path
        return
    path = path.resolve()  # a link keeps pointing to the file
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        if error.errno is not None:  # an error without one does not show its file
            error.filename = str(path)  # what the user knows
        raise
    finally:
        part.unlink(missing_ok=True)
