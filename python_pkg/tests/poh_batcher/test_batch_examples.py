"""The README's programs, the published workflow, and what an import costs."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
from pathlib import Path

import pytest

from poh_batcher import compression

PACKAGE = Path(__file__).resolve().parents[2] / "poh_batcher"


def printed(code: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "example", "exec"), {})  # noqa: S102 - our own examples
    return out.getvalue()


def test_the_programs_of_the_readme_print_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = PACKAGE / "README.md"
    if not readme.is_file():
        pytest.skip("the README is not beside the package")
    monkeypatch.chdir(tmp_path)
    storing, printing = re.findall(r"```python\n(.*?)```", readme.read_text("utf-8"), re.DOTALL)
    expected = "".join(f"{line[2:]}\n" for line in storing.splitlines() if line.startswith("# "))
    assert printed(storing) == expected
    assert printed(printing).splitlines()[1].startswith("[{'id': 'a'")


@pytest.mark.parametrize("is_zstd_installed", [True, False])
def test_the_published_workflow_runs_with_and_without_zstandard(
    monkeypatch: pytest.MonkeyPatch, *, is_zstd_installed: bool
) -> None:
    """It decompresses gzip alone, so gzip is what a batcher writes unless it is told otherwise."""
    if not is_zstd_installed:
        monkeypatch.setattr(compression, "_zstd", lambda: None)
    elif not compression.zstd_available():
        pytest.skip("no Zstandard: pip install 'poh-batcher[zstd]'")
    code = """
from poh_batcher.batcher import AsyncBatcher
from poh_batcher.storage import LocalStorage
from poh_batcher.types import AckItem, PackedBatch
import asyncio, gzip, json

async def print_sink(batch: PackedBatch):
    print("batch:", batch.header.count, batch.header.compression)
    raw = gzip.decompress(batch.payload) if batch.header.compression == "gzip" else batch.payload
    print(len(json.loads(raw)))

async def main():
    batcher = AsyncBatcher(max_items=4, timeout=0.2, sink=print_sink)
    await batcher.start()
    for i in range(10):
        await batcher.enqueue(AckItem(id=str(i), timestamp="2099-01-01T00:00:00Z", signature="", pubkey=""))
    await asyncio.sleep(0.3)
    await batcher.stop()

asyncio.run(main())
"""
    assert printed(code).splitlines() == ["batch: 4 gzip", "4", "batch: 4 gzip", "4", "batch: 2 gzip", "2"]


def test_an_import_loads_neither_pydantic_nor_a_storage(python: str) -> None:
    names = ("asyncio", "pydantic", "obstore", "click")
    code = f"import sys, poh_batcher; print([name for name in {names} if name in sys.modules])"
    found = subprocess.run(
        [python, "-c", code], cwd=PACKAGE.parent, capture_output=True, check=True, text=True
    )
    assert found.stdout == "[]\n"
