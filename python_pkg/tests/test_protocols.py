"""The generated modules are what the contracts generate.

With ``HOLDMETRICS_REGENERATE=1`` they are written instead of compared. The contracts are next to the package
in the repository; a copy of the package alone has nothing to compare with.
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

CONTRACTS = PACKAGE.parent.parent / "proto"
COMMITTED = PACKAGE / "protocols"
#: The folder of a contract for the generator, by which modules import each other by their full names.
IMPORT_FOLDER = Path("poh_holdmetrics") / "protocols"
#: immudb is called without a generated client.
MODULES = {
    "hold_pb2.py": "poh/hold.proto",
    "hold_pb2.pyi": "poh/hold.proto",
    "hold_pb2_grpc.py": "poh/hold.proto",
    "immudb_pb2.py": "immudb/immudb.proto",
    "immudb_pb2.pyi": "immudb/immudb.proto",
}


def generate(contract: str, name: str, folder: Path) -> str:
    source = folder / "source" / IMPORT_FOLDER / Path(contract).name
    source.parent.mkdir(parents=True)
    shutil.copy(CONTRACTS / contract, source)
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
    return (made / IMPORT_FOLDER / name).read_text("utf-8")


@pytest.mark.skipif(not CONTRACTS.is_dir(), reason="the contracts were not found next to the package")
@pytest.mark.parametrize("name", MODULES)
def test_the_committed_module_is_what_the_contract_generates(name: str, tmp_path: Path) -> None:
    generated = generate(MODULES[name], name, tmp_path)
    if os.environ.get("HOLDMETRICS_REGENERATE"):
        (COMMITTED / name).write_text(generated, "utf-8")
    assert (COMMITTED / name).read_text("utf-8") == generated, (
        "run HOLDMETRICS_REGENERATE=1 pytest tests/test_protocols.py"
    )
