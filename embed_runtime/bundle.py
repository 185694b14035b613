"""Assembles the folder that is deployed: the program, its Python, the packages it needs, and licences.

    FOLDER/bin/python3.14 embed_runtime/bundle.py linux-amd64 --program PATH --wheel PATH --out DIR

Run it with the interpreter that fetch.py leaves, since bytecode belongs to one version. The same inputs give
the same bytes. It builds nothing and compresses nothing: scripts/bundle.sh does, with pack.py.
"""

import argparse
import compileall
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from py_compile import PycInvalidationMode

import fetch

#: Of the packages, for each system: what pip calls it, most specific first.
PLATFORMS = {
    "linux-amd64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "linux-arm64": ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
    "windows-amd64": ("win_amd64",),
}
#: The earliest date that a zip can store; a real one would differ from build to build.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
ZIP_NAME = "python314.zip"
PIP_NAME = "pip.zip"
MANIFEST = "manifest.txt"
#: What pip looks for in the folder of the standard library, wherever the modules are.
EXTERNALLY_MANAGED = """\
[externally-managed]
Error=The packages of the bundle stay as they were released. For pipelines,
 use main_holdmetrics py install PACKAGE; for anything else, a virtual
 environment that main_holdmetrics python -m venv makes.
"""


def compile_folder(folder: Path, *, shown_as: str, beside: bool) -> None:
    """Compile all modules of a folder to bytecode that is never compared with its source."""
    done = compileall.compile_dir(
        folder,
        quiet=1,
        legacy=beside,
        maxlevels=20,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        stripdir=str(folder),
        prependdir=shown_as,
    )
    if not done:
        sys.exit(f"error: {folder}: a module did not compile")


def write_stdlib(system: str, runtime: Path, target: Path) -> None:
    """Write the standard modules as bytecode into one zip, stored, because it is read in place."""
    library = runtime / ("Lib" if system.startswith("windows") else "lib/python3.14")
    with tempfile.TemporaryDirectory() as scratch:
        modules = Path(scratch) / "modules"
        shutil.copytree(library, modules, ignore=shutil.ignore_patterns("lib-dynload", "LICENSE.txt"))
        compile_folder(modules, shown_as=ZIP_NAME, beside=True)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(modules.rglob("*")):
                # Sources would double it, and are at python.org.
                if path.is_file() and path.suffix != ".py":
                    add(archive, path.relative_to(modules).as_posix(), path.read_bytes())


def add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a file, with nothing of the machine that assembles."""
    entry = zipfile.ZipInfo(name, ZIP_DATE)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def write_pip(system: str, wheel: Path, target: Path) -> None:
    """Write pip into one zip, as sources, since it is rarely used: with bytecode it would be twice as large.

    In a zip because Python writes bytecode beside sources in a folder, and a bundle stays as it was released.
    """
    with zipfile.ZipFile(wheel) as pip, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(pip.namelist()):
            # With these, pip makes the commands of packages on Windows.
            if not name.endswith(".exe") or system.startswith("windows"):
                add(archive, name, pip.read(name))


def unzip(wheel: Path, folder: Path) -> None:
    """Install a wheel that has nothing but modules."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    for data in folder.glob("*.data"):
        shutil.rmtree(data)


def pinned_wheels(system: str) -> list[Path]:
    """Return the wheels of the pinned packages, after downloading those that the cache lacks."""
    requirements = fetch.HERE / "requirements.txt"
    pins = requirements.read_text(encoding="utf-8")
    cache = fetch.cache_folder() / "wheels-runtime" / system

    def cached() -> list[Path]:
        # One of an earlier version of the pins stays in the cache.
        return [wheel for wheel in sorted(cache.glob("*.whl")) if f"sha256:{fetch.sha256(wheel)}" in pins]

    if len(cached()) < pins.count("=="):
        command = [os.environ.get("HOLDMETRICS_PIP_PYTHON", "python3"), "-m", "pip", "download", "--quiet"]
        command += ["--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--require-hashes"]
        command += ["--python-version", "3.14", "--dest", str(cache), "--requirement", str(requirements)]
        for platform in PLATFORMS[system]:
            command += ["--platform", platform]
        # The fetched Python has no pip: that of another one downloads for it.
        subprocess.run(command, check=True)
    return cached()


def install_site(system: str, folder: Path) -> None:
    """Install the pinned packages, and pip beside them."""
    for wheel in pinned_wheels(system):
        if wheel.name.startswith("pip-"):
            write_pip(system, wheel, folder.parent / PIP_NAME)
        else:
            unzip(wheel, folder)
    (folder / "pip.pth").write_text(f"../{PIP_NAME}\n", encoding="utf-8", newline="\n")
    shutil.copyfile(fetch.HERE / "ensurepip.py", folder / "ensurepip.py")
    compile_folder(folder, shown_as="site", beside=False)


def keep_from_pip(folder: Path) -> None:
    """Let `pip install` refuse to change the bundle, and say what to use instead."""
    folder.mkdir(parents=True)
    (folder / "EXTERNALLY-MANAGED").write_text(EXTERNALLY_MANAGED, encoding="utf-8", newline="\n")


def write_licences(runtime: Path, folder: Path) -> None:
    """Copy what must travel with the runtime."""
    shutil.copytree(fetch.HERE / "licences", folder)
    python = runtime / "lib" / "python3.14" / "LICENSE.txt"
    if not python.exists():
        # The archive for Windows has none; it is the same text.
        python = fetch.fetched("linux-amd64") / "lib" / "python3.14" / "LICENSE.txt"
    shutil.copyfile(python, folder / "Python.txt")
    shutil.copyfile(fetch.HERE.parent / "LICENSE", folder / "holdmetrics.txt")


def prefer_own_library(program: Path) -> None:
    """Make LD_LIBRARY_PATH unable to put another libpython before ours, which zig's linker cannot.

    Of the two tags of an ELF file for its search path, DT_RPATH precedes the variable, DT_RUNPATH follows it.
    """
    dt_rpath, dt_runpath, pt_dynamic = 15, 29, 2
    content = bytearray(program.read_bytes())
    table, size, count = *struct.unpack_from("<Q", content, 32), *struct.unpack_from("<HH", content, 54)
    for header in range(table, table + size * count, size):
        kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", content, header)
        for entry in range(start, start + length, 16) if kind == pt_dynamic else ():
            if struct.unpack_from("<Q", content, entry)[0] == dt_runpath:
                struct.pack_into("<Q", content, entry, dt_rpath)
    program.write_bytes(content)


def write_libraries(system: str, runtime: Path, out: Path) -> None:
    """Copy the interpreter: on Windows, what the program is linked to must lie beside it."""
    inside = out / "embed_runtime"
    if system.startswith("windows"):
        shutil.copytree(runtime / "DLLs", inside / "DLLs")
        for library in sorted(runtime.glob("*.dll")):
            shutil.copyfile(library, out / library.name)
    else:
        shutil.copyfile(runtime / "lib" / "libpython3.14.so.1.0", inside / "libpython3.14.so.1.0")
        prefer_own_library(out / "main_holdmetrics")


def write_manifest(out: Path) -> None:
    """Write the SHA-256, size and name of each file, by which a damaged folder is found."""
    lines = []
    for path in sorted(out.rglob("*")):
        # Modes and times of the machine that assembles do not travel.
        executable = path.is_dir() or (path.parent == out and path.stem == "main_holdmetrics")
        path.chmod(0o755 if executable else 0o644)
        if path.is_file():
            name = path.relative_to(out).as_posix()
            lines.append(f"{fetch.sha256(path)} {path.stat().st_size} {name}\n")
    manifest = out / "embed_runtime" / MANIFEST
    manifest.write_text("".join(lines), encoding="utf-8", newline="\n")
    manifest.chmod(0o644)


def assemble(system: str, program: Path, wheel: Path, extra: Path | None, out: Path) -> None:
    """Assemble the folder, which must be missing or empty."""
    runtime = fetch.fetched(system)
    inside = out / "embed_runtime"
    inside.mkdir(parents=True)
    name = "main_holdmetrics.exe" if system.startswith("windows") else "main_holdmetrics"
    shutil.copyfile(program, out / name)
    write_libraries(system, runtime, out)
    write_stdlib(system, runtime, inside / ZIP_NAME)
    install_site(system, inside / "site")
    keep_from_pip(inside / ("Lib" if system.startswith("windows") else "lib/python3.14"))
    package = out / "python_pkg"
    unzip(wheel, package)
    compile_folder(package, shown_as="python_pkg", beside=False)
    write_licences(runtime, inside / "licences")
    if extra is not None:
        shutil.copytree(extra, out, dirs_exist_ok=True)
    write_manifest(out)
    digest = hashlib.sha256((inside / MANIFEST).read_bytes()).hexdigest()
    print(f"{out}: {sum(1 for path in out.rglob('*') if path.is_file())} files, manifest {digest[:16]}")


def main() -> None:
    """Assemble one system."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("system", choices=fetch.SYSTEMS)
    parser.add_argument("--program", type=Path, required=True, help="the built main_holdmetrics, stripped")
    parser.add_argument("--wheel", type=Path, required=True, help="the wheel of poh_holdmetrics")
    parser.add_argument("--extra", type=Path, help="a folder whose files are put beside the program")
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    arguments = parser.parse_args()
    if f"{sys.version_info.major}.{sys.version_info.minor}" != "3.14":
        sys.exit("error: run this with the Python that fetch.py leaves: bytecode belongs to one version")
    assemble(arguments.system, arguments.program, arguments.wheel, arguments.extra, arguments.out)


if __name__ == "__main__":
    main()
