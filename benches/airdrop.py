"""Trees and proofs of an airdrop beside OpenZeppelin's npm package: the same list, the same dump, all proofs.

python benches/airdrop.py BINARY FOLDER_OF_NPM_PACKAGES [--leaves N] [--large N]; `make bench-airdrop` knows
both. Prints its table only. The npm package runs once, because it takes a minute.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NPM = """
import { readFileSync, writeFileSync } from "node:fs";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";
const lines = readFileSync(process.argv[2], "utf8").trim().split("\\n").slice(1);
const rows = lines.map((line) => line.split(","));
const tree = StandardMerkleTree.of(rows, ["address", "uint256"]);
writeFileSync(process.argv[3], JSON.stringify(tree.dump()));
if (process.argv[4]) for (const [row] of tree.entries()) tree.getProof(row);
"""


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds and the most memory in MB of a run that succeeds."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - the binary and node
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}")
    return seconds, usage.ru_maxrss / 1024


def show(title: str, command: list[str]) -> None:
    """Measure a command and print its row of the table."""
    seconds, megabytes = measured(command)
    print(f"| {title} | {seconds:.2f} | {megabytes:.0f} |", flush=True)


def write_list(path: Path, leaves: int) -> None:
    """A list of addresses that look random."""
    with path.open("w") as out:
        out.write("address,amount\n")
        for row in range(leaves):
            address = hashlib.sha256(row.to_bytes(8, "big")).hexdigest()[:40]
            out.write(f"0x{address},{10**18 + row}\n")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("packages", type=Path)
    parser.add_argument("--leaves", type=int, default=252_803, help="as many as Uniswap's airdrop had")
    parser.add_argument("--large", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows, tree, theirs, script = (
            folder / file for file in ("list.csv", "tree.json", "npm.json", "npm.mjs")
        )
        write_list(rows, arguments.leaves)
        script.write_text(NPM)
        (folder / "node_modules").symlink_to(arguments.packages.resolve() / "node_modules")
        airdrop = [arguments.binary, "airdrop"]
        node = ["node", "--max-old-space-size=8192", str(script), str(rows), str(theirs)]
        ours = [*airdrop, "tree", str(rows), "--output", str(tree)]
        print(f"| {arguments.leaves:,} leaves | seconds | MB |\n| --- | --- | --- |")
        show("npm: dump", node)
        show("npm: dump and all proofs, in memory", [*node, "proofs"])
        show("ours: dump", ours)
        show("ours: dump and all proofs, written", [*ours, "--proofs", str(folder / "proofs.jsonl")])
        show("ours: verify the dump", [*airdrop, "verify", str(tree)])
        if tree.read_bytes() != theirs.read_bytes():
            sys.exit("the dumps differ")
        claims = str(folder / "claims.json")
        uniswap = [*airdrop, "tree", str(rows), "--format", "uniswap", "--output", claims]
        show("ours: claims of uniswap", uniswap)
        show("ours: verify the claims", [*airdrop, "verify", claims])
        write_list(rows, arguments.large)
        show(f"ours: {arguments.large:,} leaves, all proofs streamed", [*ours, "--proofs", "/dev/null"])


if __name__ == "__main__":
    main()
