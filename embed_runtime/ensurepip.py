"""Stands for the standard module of this name in the bundle, for `python -m venv`.

pip is on the path of every virtual environment of the bundle already: only its command is written.
"""

import sys
import sysconfig
from pathlib import Path

_COMMAND = """\
#!{python}
import sys
from pip._internal.cli.main import main
sys.exit(main())
"""


def bootstrap() -> None:
    """Write the command of pip into the virtual environment that runs this."""
    if sys.prefix == sys.base_prefix:
        sys.exit("ensurepip: pip is in the bundle: run it with main_holdmetrics python -m pip")
    for name in ("pip", "pip3"):
        command = Path(sysconfig.get_path("scripts")) / name
        command.write_text(_COMMAND.format(python=sys.executable), encoding="utf-8")
        command.chmod(0o755)


if __name__ == "__main__":
    bootstrap()
