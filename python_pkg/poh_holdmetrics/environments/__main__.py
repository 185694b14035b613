"""Does what `main_holdmetrics py install|list|use|remove` asks for; its one argument is a JSON object.

The words and the help are those of the binary, in `src/cli/py.rs`.
"""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path
from typing import Any

from poh_holdmetrics.environments.folder import Environment, Environments, EnvironmentsError
from poh_holdmetrics.environments.install import Wanted, install
from poh_holdmetrics.errors import excerpt

_FAILED = 1
_INTERRUPTED = 130


def main(asked: dict[str, Any]) -> int:
    """Do it and return the exit code; errors are one sentence on standard error."""
    environments = Environments(Path(asked["data_dir"]))
    try:
        match asked["verb"]:
            case "install":
                _installed(environments, asked["asked"])
            case "use":
                chosen = environments.use(asked["id"])
                print("no environment is current" if chosen is None else f"{chosen.id} is current")
            case "remove":
                print(f"removed {environments.remove(asked['id']).id}")
            case _:
                _list(environments, as_json=asked["json"])
    except EnvironmentsError as error:
        print(f"error: py {asked['verb']}: {error}", file=sys.stderr)
        return _FAILED
    except OSError as error:
        print(f"error: py {asked['verb']}: {_system(error)}; nothing was changed", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        print(f"error: py {asked['verb']}: interrupted; nothing was changed", file=sys.stderr)
        return _INTERRUPTED
    return 0


def _system(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"{error.filename or 'the data folder'}: the disk is full"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _installed(environments: Environments, asked: dict[str, Any]) -> None:
    wanted = Wanted(
        packages=asked["packages"],
        requirements=[Path(file).absolute() for file in asked["requirement"]],
        find_links=asked["find_links"],
        no_index=asked["no_index"],
        require_hashes=asked["require_hashes"],
    )
    previous = environments.current()
    damage = None if previous is None else environments.damage(previous)
    made = install(environments, wanted)
    if made.id == previous:
        how = (
            "current already" if damage is None else f"installed again, because {excerpt(damage)} was damaged"
        )
        print(f"{made.id} is {how}: {_packages(made)}")
        return
    print(f"{made.id} is current: {_packages(made)}")
    if previous is not None:
        print(f"A running service takes it at its next start; `py use {previous}` goes back.")


def _list(environments: Environments, *, as_json: bool) -> None:
    current = environments.current()
    found = environments.all()
    if as_json:
        listed = [{**each.description, "current": each.id == current} for each in found]
        print(json.dumps({"current": current, "environments": listed}, indent=1, ensure_ascii=False))
        return
    if not found:
        print(f"{environments.folder}: no environments; py install makes one")
    for each in found:
        mark = "*" if each.id == current else " "
        print(f"{mark} {each.id}  {each.created}  Python {each.python}  {_packages(each)}")


def _packages(environment: Environment) -> str:
    return ", ".join(f"{each['name']} {each['version']}" for each in environment.packages) or "no packages"


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
