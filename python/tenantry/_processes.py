"""What stays in its process."""

from __future__ import annotations

from typing import NoReturn


class OfOneProcess:
    """A forked child may use it; nothing of it is sent to a process that was started otherwise."""

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be pickled, because it may hold a password: make it in each process")
