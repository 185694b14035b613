"""The generated modules are what the contract generates.

With ``HOLDMETRICS_REGENERATE=1`` they are written instead of compared. The contract is next to the package in
the repository; a copy of the package alone has nothing to compare with.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import PACKAGE

pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed (extra dev)")

CONTRACT = PACKAGE.parent.parent / "proto" / "poh" / "hold.proto"
COMMITTED = PACKAGE / "protocols"
#: The path of the contract for the generator, by which modules import each other by their full names.
IMPORT_PATH = Path("poh_holdmetrics") / "protocols" / "hold.proto"
MODULES = ["hold_pb2.py", "hold_pb2.pyi", "hold_pb2_grpc.py"]


def generate(folder: Path) -> dict[str, str]:
    source = folder / "source" / IMPORT_PATH
    source.parent.mkdir(parents=True)
    shutil.copy(CONTRACT, source)
    made = folder / "made"
    made.mkdir()
    root = folder / "source"
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={root}"),
            *(f"--python_out={made}", f"--pyi_out={made}", f"--grpc_python_out={made}"),
            str(source),
        ],
        check=True,
        timeout=60,
    )
    return {name: (made / IMPORT_PATH.parent / name).read_text("utf-8") for name in MODULES}


@pytest.mark.skipif(not CONTRACT.is_file(), reason="the contract was not found next to the package")
@pytest.mark.parametrize("name", MODULES)
def test_the_committed_module_is_what_the_contract_generates(name: str, tmp_path: Path) -> None:
    generated = generate(tmp_path)[name]
    if os.environ.get("HOLDMETRICS_REGENERATE"):
        (COMMITTED / name).write_text(generated, "utf-8")
    assert (COMMITTED / name).read_text("utf-8") == generated, (
        "run HOLDMETRICS_REGENERATE=1 pytest tests/test_protocols.py"
    )
