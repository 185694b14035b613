"""Fetches the Python that travels with the program, verifies each file, and prints the folder that holds it.

    python3 embed_runtime/fetch.py linux-amd64          # or linux-arm64, windows-amd64
    python3 embed_runtime/fetch.py linux-amd64 --pin    # after a new version in pins.toml: write pins/ again

Go fetches the module named in pins.toml and compares it with its public checksum database; this script
compares it with our own pins. The folder lies in the cache, `$HOLDMETRICS_CACHE` or ~/.cache/holdmetrics;
every run verifies it and repairs what differs, and fetches only if something does. What is built from the
folder is bundle.py's.
"""

import argparse
import fnmatch
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PINS = tomllib.loads((HERE / "pins.toml").read_text(encoding="utf-8"))
SYSTEMS = ("linux-amd64", "linux-arm64", "windows-amd64")
#: The bit of a folder in the modes of files.json, which are those of Go's fs.FileMode.
MODE_FOLDER = 1 << 31


def cache_folder() -> Path:
    """Return the folder that keeps what is downloaded."""
    named = os.environ.get("HOLDMETRICS_CACHE")
    if named:
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdmetrics"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pins_of(system: str) -> dict[str, str]:
    """Return the pinned SHA-256 of each file of a system."""
    lines = (HERE / "pins" / f"{system}.sha256").read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def differences(folder: Path, pins: dict[str, str]) -> list[str]:
    """Return the files of a folder that are missing, added or changed."""
    if not folder.is_dir():
        return sorted(pins)
    found = {
        str(path.relative_to(folder).as_posix()): path
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    return sorted(
        name
        for name in pins.keys() | found.keys()
        if name not in found or name not in pins or sha256(found[name]) != pins[name]
    )


def is_left_out(name: str) -> bool:
    """Say whether pins.toml leaves a file of the archive out."""
    return any(fnmatch.fnmatchcase(name, pattern) for entry in PINS["left_out"] for pattern in entry["names"])


def fetch_module() -> Path:
    """Let Go fetch the module, verify it, and return its folder."""
    module = PINS["module"]
    go = shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/go/bin"]))
    if go is None:
        sys.exit("error: go is not on PATH, and fetches the pinned Python: install it from https://go.dev/dl")
    # What a user has set may not turn the public checksum database off.
    environment = os.environ | {"GOFLAGS": "", "GOPRIVATE": "", "GONOSUMDB": "", "GOWORK": "off"}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "go.mod").write_text("module holdmetrics/runtime\n\ngo 1.21\n", encoding="utf-8")
        said = subprocess.run(
            [go, "mod", "download", "-json", f"{module['path']}@{module['version']}"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            check=False,
        )
    answer: dict[str, Any] = json.loads(said.stdout or b"{}")
    if said.returncode or "Error" in answer:
        sys.exit(
            f"error: go did not fetch {module['path']}: {answer.get('Error', 'the reason stands above')}"
        )
    for what, found, pinned in [
        ("h1", answer["Sum"], module["h1"]),
        ("SHA-256", sha256(Path(answer["Zip"])), module["zip_sha256"]),
    ]:
        if found != pinned:
            sys.exit(f"error: {module['path']} has {what} {found}, and pins.toml says {pinned}")
    return Path(answer["Dir"])


def unpack(system: str, folder: Path) -> None:
    """Unpack the files of a system that are not left out into an empty folder."""
    data = fetch_module() / PINS["module"]["data"] / system
    for entry in json.loads((data / "files.json").read_text(encoding="utf-8"))["files"]:
        name = entry["name"]
        if entry["perm"] & MODE_FOLDER or "symlink" in entry or is_left_out(name):
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if entry.get("compressed"):
            with gzip.open(data / f"{name}.gz") as source, target.open("wb") as out:
                shutil.copyfileobj(source, out)
        else:
            shutil.copyfile(data / name, target)
        target.chmod(0o755 if entry["perm"] & 0o100 else 0o644)
    library = folder / "lib" / "libpython3.14.so.1.0"
    if library.exists():
        # The name that a linker looks for.
        (folder / "lib" / "libpython3.14.so").symlink_to(library.name)


def fetched(system: str, *, pin: bool = False) -> Path:
    """Return the verified folder of a system, after fetching it if it is missing or damaged."""
    folder: Path = cache_folder() / "python" / PINS["module"]["version"] / system
    if not pin and not differences(folder, pins_of(system)):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{system}-", dir=folder.parent))
    try:
        unpack(system, fresh)
        if pin:
            write_pins(system, fresh)
        wrong = differences(fresh, pins_of(system))
        if wrong:
            sys.exit(f"error: {system}: {len(wrong)} files differ from embed_runtime/pins, first {wrong[0]}")
        fresh.chmod(0o755)
        # Two runs at once both verify what they unpacked; the later one finds the folder taken.
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def write_pins(system: str, folder: Path) -> None:
    """Write the SHA-256 of each file of a folder, as sha256sum does."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    pins = HERE / "pins" / f"{system}.sha256"
    pins.parent.mkdir(exist_ok=True)
    pins.write_text("".join(lines), encoding="utf-8", newline="\n")


def main() -> None:
    """Fetch one system and print its folder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("--pin", action="store_true", help="write pins/ from what the module holds")
    arguments = parser.parse_args()
    print(fetched(arguments.system, pin=arguments.pin))


if __name__ == "__main__":
    main()
