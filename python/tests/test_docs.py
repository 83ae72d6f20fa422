"""Each block of Python in the pages below runs: in one namespace from top to bottom, with the admin's `url`, in a directory with a
tenants.toml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict

import pytest

from conftest import Project

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [name for name in ("python.md", "coming-from-cloacina.md", "coming-from-cinchdb.md") if (DOCS / name).exists()]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_its_samples_run(page: str, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.dir)
    monkeypatch.setenv("TENANTRY_DATABASE_URL", project.url)
    text = (DOCS / page).read_text()
    namespace: Dict[str, Any] = {"url": project.url, "__name__": page}
    found = list(BLOCK.finditer(text))
    assert found
    for block in found:
        # A traceback names the page's own line.
        code = "\n" * text.count("\n", 0, block.start(1)) + block[1]
        exec(compile(code, str(DOCS / page), "exec"), namespace)
