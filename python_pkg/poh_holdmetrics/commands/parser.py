"""What the subcommands share: the parser with its errors, and the names of the two programs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

from poh_holdmetrics import native
from poh_holdmetrics.errors import InputError

if TYPE_CHECKING:
    #: Where a subcommand is added.
    Commands = argparse._SubParsersAction["Parser"]  # noqa: SLF001 - argparse has no public name for it

PROGRAM = "python -m poh_holdmetrics"
BINARY = "main_holdmetrics"

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """Reports a bad argument as every other error: one sentence, and where the help is."""

    def __init__(self, **settings: Any) -> None:
        """`settings` are those of `ArgumentParser`; descriptions keep their lines."""
        super().__init__(**{"formatter_class": argparse.RawDescriptionHelpFormatter, **settings})

    def error(self, message: str) -> NoReturn:
        """Raise `InputError`."""
        raise InputError(self.prog, f"{message}; see {self.prog} --help")


def program() -> str:
    """How the user has called the command line: inside the binary its words are the same."""
    return BINARY if native.inside_host() else PROGRAM
