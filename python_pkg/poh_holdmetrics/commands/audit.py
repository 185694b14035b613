"""`audit`: proves that published scores come from the events that were stored.

Puts the words after `audit` together; each is a file of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_holdmetrics.commands.audit_verify import add_verify
from poh_holdmetrics.commands.parser import program

if TYPE_CHECKING:
    from poh_holdmetrics.commands.parser import Commands


def add_audit(commands: Commands) -> None:
    """Add the command to a command line."""
    description = "Prove that published scores come from the events that were stored."
    audit = commands.add_parser(
        "audit",
        prog=f"{program()} audit",
        help="prove that published scores come from the events that were stored",
        description=description,
    )
    words = audit.add_subparsers(dest="word", required=True, metavar="COMMAND")
    add_verify(words)
