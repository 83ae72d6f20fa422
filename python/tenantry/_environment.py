"""Environment variables, as the library takes them."""

from __future__ import annotations

import os
from typing import List, Mapping, Optional, Tuple


def encoded(env: Optional[Mapping[str, str]]) -> List[Tuple[bytes, bytes]]:
    """These, or the process's own."""
    environment = os.environ if env is None else env
    return [(os.fsencode(name), os.fsencode(value)) for name, value in environment.items()]
