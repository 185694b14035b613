"""Lists what a bundle contains: a bill of materials as CycloneDX JSON, and the crates' licences as text.

    python3 embed_runtime/sbom.py linux-amd64 --name NAME --version VERSION --out DIR

The crates are those that cargo resolves for the system, the packages and the runtime those of the pins. The
same inputs give the same bytes.
"""

import argparse
import datetime
import hashlib
import json
import os
import re
import subprocess
import uuid
from pathlib import Path
from typing import Any

import fetch

TARGETS = {
    "linux-amd64": "x86_64-unknown-linux-gnu",
    "linux-arm64": "aarch64-unknown-linux-gnu",
    "windows-amd64": "x86_64-pc-windows-gnu",
}
LICENCE_FILES = re.compile(r"(licen[cs]e|copying|notice|copyright)", re.IGNORECASE)


def crates_of(system: str, manifest: Path, *features: str) -> list[dict[str, Any]]:
    """Return the crates that are linked into a program, sorted."""
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--manifest-path", str(manifest)]
    command += ["--filter-platform", TARGETS[system], *features]
    said = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    packages = {package["id"]: package for package in said["packages"]}
    nodes = {node["id"]: node for node in said["resolve"]["nodes"]}
    reached: set[str] = set()
    waiting = [said["resolve"]["root"]]
    while waiting:
        package = waiting.pop()
        if package not in reached:
            reached.add(package)
            # What only builds or tests is not in the program.
            waiting += [
                link["pkg"]
                for link in nodes[package]["deps"]
                if any(kind["kind"] is None for kind in link["dep_kinds"])
            ]
    reached.remove(said["resolve"]["root"])
    return sorted((packages[one] for one in reached), key=lambda one: (one["name"], one["version"]))


def component(kind: str, name: str, version: str, licence: str | None = None) -> dict[str, Any]:
    """Return one entry of a bill of materials."""
    purl = f"pkg:{kind}/{name}@{version}"
    entry: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
    }
    if licence:
        entry["licenses"] = [{"expression": licence.replace("/", " OR ")}]
    return entry


def bill_of_materials(version: str, crates: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the bill of materials of a bundle."""
    pinned = (fetch.HERE / "requirements.txt").read_text(encoding="utf-8")
    packages = re.findall(r"^([a-z0-9-]+)==(\S+)", pinned, re.MULTILINE)
    module = fetch.PINS["module"]
    components = [
        component("generic", "cpython", fetch.PINS["python"]["version"], "Python-2.0"),
        component("golang", module["path"], module["version"]),
        *(component("pypi", name, number) for name, number in packages),
        *(component("cargo", one["name"], one["version"], one["license"]) for one in crates),
    ]
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    digest = hashlib.sha256(json.dumps(components).encode()).digest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # Of the content: the same bundle has the same number.
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(epoch, datetime.UTC).isoformat(),
            "component": {"type": "application", "name": "main_holdmetrics", "version": version},
        },
        "components": components,
    }


def licences(crates: list[dict[str, Any]]) -> str:
    """Return the licence of each crate, and each text once."""
    texts: dict[str, list[str]] = {}
    lines = [
        "Crates in main_holdmetrics and their licences; each text follows, with the crates that have it.\n"
    ]
    for crate in crates:
        name = f"{crate['name']} {crate['version']}"
        lines.append(f"{name}: {crate['license'] or 'see the text'}")
        for path in sorted(Path(crate["manifest_path"]).parent.iterdir()):
            if path.is_file() and LICENCE_FILES.match(path.name):
                texts.setdefault(path.read_text(encoding="utf-8", errors="replace").strip(), []).append(name)
    for text, names in texts.items():
        lines += ["", "=" * 80, ", ".join(dict.fromkeys(names)), "=" * 80, text]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("system", choices=fetch.SYSTEMS)
    parser.add_argument("--name", required=True, help="of the files, without what they end with")
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    root = fetch.HERE.parent
    crates = crates_of(arguments.system, root / "Cargo.toml", "--features=py-embed")
    crates += crates_of(arguments.system, fetch.HERE / "launcher" / "Cargo.toml")
    crates = sorted(
        {one["id"]: one for one in crates}.values(), key=lambda one: (one["name"], one["version"])
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    bill = json.dumps(bill_of_materials(arguments.version, crates), indent=1) + "\n"
    (arguments.out / f"{arguments.name}.cdx.json").write_text(bill, encoding="utf-8")
    text = licences(crates)
    (arguments.out / f"{arguments.name}-licences.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
