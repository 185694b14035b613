"""`py install|list|use|remove`: what they do to a data folder, and that a failure changes nothing.

Wheels are made here, and no network is used. That a service has the packages is tested with the binary.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import PACKAGE
from poh_holdmetrics.environments import folder as folder_module
from poh_holdmetrics.environments.folder import PYTHON, Environments, EnvironmentsError

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pip") is None, reason="pip, which installs, is not in this environment"
)


def make_wheel(
    folder: Path, name: str, version: str, *, tag: str = "py3-none-any", needs: str = "", code: str = ""
) -> Path:
    """A wheel with one module of that name."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    files = {
        f"{name}.py": code or f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = [f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items()]
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inner, text in files.items():
            wheel.writestr(inner, text)
        wheel.writestr(f"{info}/RECORD", "".join(record) + f"{info}/RECORD,,\n")
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class Data:
    """A data folder and a folder of wheels."""

    def __init__(self, folder: Path) -> None:
        """Makes nothing."""
        self.folder = folder
        self.wheels = folder / "wheels"
        self.environments = Environments(folder / "data")

    def command(self, verb: str, **asked: Any) -> list[str]:
        """What the binary runs."""
        words = {"verb": verb, "data_dir": str(self.folder / "data"), "id": None, "json": False, **asked}
        return [sys.executable, "-m", "poh_holdmetrics.environments", json.dumps(words)]

    def asked(self, *packages: str, **more: Any) -> dict[str, Any]:
        """Without a network."""
        asked = {"packages": packages, "requirement": [], "find_links": [str(self.wheels)], "no_index": True}
        return {**asked, "require_hashes": False, **more}

    def run(self, verb: str, **asked: Any) -> subprocess.CompletedProcess[str]:
        """To its end."""
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
        command = self.command(verb, **asked)
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    def install(self, *packages: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """To its end."""
        return self.run("install", asked=self.asked(*packages, **more))

    def state(self) -> dict[str, bytes]:
        """All files but the lock."""
        files = (path for path in (self.folder / "data").rglob("*") if path.is_file() and path.name != "lock")
        return {str(path): path.read_bytes() for path in files}


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def module(data: Data, name: str) -> Path:
    current = data.environments.current()
    assert current is not None
    return data.environments.folder / "environments" / current / f"python{PYTHON}" / f"{name}.py"


def test_packages_are_installed_with_what_they_need_and_an_earlier_set_comes_back(data: Data) -> None:
    for version in ("1.0", "2.0"):
        make_wheel(data.wheels, "poh_probe", version, needs="poh_probe_part")
    make_wheel(data.wheels, "poh_probe_part", "1.0")
    first = data.install("poh_probe==1.0")
    assert first.returncode == 0, first.stderr
    one = data.environments.current()
    assert module(data, "poh_probe").read_text() == "VERSION = '1.0'\n"
    assert module(data, "poh_probe_part").exists()

    second = data.install("poh_probe")
    assert second.returncode == 0, second.stderr
    assert f"py use {one}" in second.stdout
    two = data.environments.current()
    assert two != one
    assert module(data, "poh_probe").read_text() == "VERSION = '2.0'\n"
    # The same content has the same name, and is installed once.
    before = data.state()
    again = data.install("poh_probe")
    assert "is current already" in again.stdout
    assert data.state() == before

    listed = json.loads(data.run("list", json=True).stdout)
    assert listed["current"] == two
    assert {each["id"] for each in listed["environments"]} == {one, two}
    assert [each["name"] for each in listed["environments"][0]["packages"]] == ["poh_probe", "poh_probe_part"]

    refused = data.run("remove", id=two)
    assert refused.returncode == 1
    assert "is current" in refused.stderr
    assert one is not None
    assert data.run("use", id=one[:6]).returncode == 0
    assert data.environments.current() == one
    assert data.run("remove", id=two).returncode == 0
    assert [each.id for each in data.environments.all()] == [one]
    assert data.run("use", id="none").returncode == 0
    assert data.environments.current() is None


def installed_folder(incoming: Path) -> Path:
    """What an installation leaves before it gets its name, without pip, which takes seconds."""
    folder = incoming / "finished"
    packages = folder / f"python{PYTHON}"
    with zipfile.ZipFile(make_wheel(incoming / "wheels", "poh_probe", "1.0")) as wheel:
        wheel.extractall(packages)
    description = {"id": "abcd", "python": PYTHON, "created": "2026-01-01T00:00:00+00:00", "packages": [{}]}
    (folder / "environment.json").write_text(json.dumps(description))
    return folder


def added(data: Data) -> Path:
    with data.environments.changing(), data.environments.incoming() as incoming:
        return data.environments.add(installed_folder(incoming), "abcd").folder


@pytest.mark.parametrize(
    ("damaged", "named"),
    [
        (f"python{PYTHON}/poh_probe.py", "poh_probe.py"),
        (f"python{PYTHON}/poh_probe-1.0.dist-info/METADATA", "poh_probe-1.0.dist-info/METADATA"),
        (f"python{PYTHON}/poh_probe-1.0.dist-info/RECORD", f"python{PYTHON}"),
        ("environment.json", "environment.json"),
    ],
)
def test_a_damaged_environment_is_replaced_by_the_same(data: Data, damaged: str, named: str) -> None:
    folder = added(data)
    assert data.environments.damage("abcd") is None
    before = data.state()
    marked = folder / "marked"
    marked.touch()
    added(data)
    assert marked.exists(), "a whole one stays as it is"
    (folder / damaged).unlink()
    assert data.environments.damage("abcd") == named
    added(data)
    assert data.environments.damage("abcd") is None
    assert data.state() == before


def test_a_changed_file_is_damage_and_left_alone_while_it_is_in_use(data: Data) -> None:
    folder = added(data)
    probe = folder / f"python{PYTHON}" / "poh_probe.py"
    probe.write_text("VERSION = '6.6'\n")
    before = data.state()
    with (
        locked_elsewhere(folder / "environment.json"),
        pytest.raises(EnvironmentsError, match=r'damaged \("poh_probe\.py"\) and used by a running process'),
    ):
        added(data)
    assert data.state() == before
    added(data)
    assert probe.read_text() == "VERSION = '1.0'\n"


@contextmanager
def locked_elsewhere(path: Path) -> Iterator[None]:
    """As a process that imports from there has it; a lock of another open file counts as another process."""
    with path.open("rb") as file:
        assert folder_module._locked(file)
        yield


def test_py_install_mends_the_current_environment(data: Data) -> None:
    make_wheel(data.wheels, "poh_probe", "1.0")
    assert data.install("poh_probe").returncode == 0
    module(data, "poh_probe").write_text("VERSION = '6.6'\n")
    again = data.install("poh_probe")
    assert again.returncode == 0, again.stderr
    assert 'is installed again, because "poh_probe.py" was damaged: poh_probe 1.0' in again.stdout
    assert module(data, "poh_probe").read_text() == "VERSION = '1.0'\n"


def test_what_cannot_be_installed_is_one_sentence_and_changes_nothing(data: Data) -> None:
    make_wheel(data.wheels, "poh_probe", "1.0")
    assert data.install("poh_probe").returncode == 0
    before = data.state()
    other = make_wheel(data.wheels, "poh_other", "1.0", tag="cp39-cp39-manylinux1_x86_64")
    broken = data.wheels / "poh_broken-1.0-py3-none-any.whl"
    broken.write_text("not an archive")
    zeros = "0" * 64
    hashes = data.folder / "hashes.txt"
    hashes.write_text(f"poh_probe==1.0 --hash=sha256:{zeros}\n")
    bare = data.folder / "bare.txt"
    bare.write_text("poh_probe==1.0\n")
    make_wheel(data.wheels, "poh_wants", "1.0", needs="poh_missing>=2")
    for ended, said in (
        (data.install("poh_other"), f"which does not fit Python {PYTHON}"),
        (data.install(str(other)), "is for another Python or system"),
        (data.install("poh_broken"), "poh_broken"),
        (data.install("poh_unknown"), "poh_unknown: no wheel for Python"),
        (data.install("poh_wants"), "poh_missing"),
        (data.install(requirement=[str(hashes)]), f"expected sha256 {zeros}, got "),
        (data.install(requirement=[str(bare)], require_hashes=True), "has no hash"),
        (data.install(requirement=[str(data.folder / "absent.txt")]), "absent.txt: no such file"),
    ):
        assert ended.returncode == 1, ended
        assert said in ended.stderr, ended
        assert ended.stderr.startswith("error: py install: "), ended
        assert len(ended.stderr.splitlines()) == 1, ended
        assert data.state() == before


def test_a_dead_index_is_named(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    ended = data.install("poh_probe", no_index=False)
    assert ended.returncode == 1
    assert "the index cannot be reached" in ended.stderr


def test_one_changes_the_folder_at_a_time(data: Data) -> None:
    make_wheel(data.wheels, "poh_probe", "1.0")
    with data.environments.changing():
        ended = data.install("poh_probe")
    assert ended.returncode == 1
    assert "another py command works there" in ended.stderr
    assert data.install("poh_probe").returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_kill_midway_leaves_the_current_environment_and_is_cleaned_up(data: Data) -> None:
    make_wheel(data.wheels, "poh_probe", "1.0")
    assert data.install("poh_probe").returncode == 0
    before = data.state()
    make_wheel(data.wheels, "poh_probe", "2.0")
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    command = data.command("install", asked=data.asked("poh_probe"))
    with subprocess.Popen(command, env=environment, start_new_session=True) as installing:
        while not list(data.environments.folder.glob("incoming-*")):
            assert installing.poll() is None
            time.sleep(0.01)
        os.killpg(installing.pid, signal.SIGKILL)
    left = list(data.environments.folder.glob("incoming-*"))
    assert len(left) == 1
    kept = {path: text for path, text in data.state().items() if str(left[0]) not in path}
    assert kept == before
    assert data.install("poh_probe").returncode == 0
    assert not left[0].exists()
    assert module(data, "poh_probe").read_text() == "VERSION = '2.0'\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C goes to a whole console on Windows")
def test_ctrl_c_changes_nothing_and_leaves_nothing(data: Data) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    # Never answered, so that the installation cannot end before it is interrupted.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        links = [f"http://127.0.0.1:{silent.getsockname()[1]}/"]
        command = data.command("install", asked=data.asked("poh_probe", find_links=links))
        with subprocess.Popen(
            command, env=environment, start_new_session=True, stderr=subprocess.PIPE, text=True
        ) as installing:
            while not list(data.environments.folder.glob("incoming-*")):
                assert installing.poll() is None
                time.sleep(0.01)
            os.killpg(installing.pid, signal.SIGINT)
            _, said = installing.communicate(timeout=60)
    assert installing.returncode == 130
    assert said == "error: py install: interrupted; nothing was changed\n"
    assert data.state() == {}
    assert not list(data.environments.folder.glob("incoming-*"))


def test_an_environment_of_another_python_is_not_chosen(data: Data) -> None:
    folder = data.environments.folder / "environments" / "abcd"
    folder.mkdir(parents=True)
    description = {"id": "abcd", "python": "3.6", "created": "2020-01-01T00:00:00+00:00", "packages": []}
    (folder / "environment.json").write_text(json.dumps(description))
    with pytest.raises(EnvironmentsError, match=r"packages for Python 3\.6, and this program has Python"):
        data.environments.use("abcd")
    with pytest.raises(EnvironmentsError, match="unknown environment; known are abcd"):
        data.environments.find("x")


def test_a_full_disk_is_named(
    data: Data, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from poh_holdmetrics.environments import __main__ as command  # noqa: PLC0415

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "data/python")

    monkeypatch.setattr(command, "install", full)
    words = json.loads(data.command("install", asked=data.asked("poh_probe"))[-1])
    assert command.main(words) == 1
    assert capsys.readouterr().err == (
        "error: py install: data/python: the disk is full; nothing was changed\n"
    )
