"""`pipeline`: writes, checks and tests pipelines, and asks a running service about its own.

Puts the words after `pipeline` together; each is a file of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poh_holdmetrics.commands.parser import program
from poh_holdmetrics.commands.pipeline_check import add_check
from poh_holdmetrics.commands.pipeline_new import add_new
from poh_holdmetrics.commands.pipeline_service import add_enable, add_list, add_reload, add_replay
from poh_holdmetrics.commands.pipeline_test import add_test

if TYPE_CHECKING:
    from poh_holdmetrics.commands.parser import Commands

_EPILOG = """\
A pipeline is one Python file whose functions follow acknowledged events, run at intervals, deliver to other
systems or publish scores. From the first line to the service:

  pipeline new tiers.py                           writes a commented starter
  pipeline check tiers.py                         finds mistakes, without a server
  pipeline test tiers.py --events events.jsonl    runs it over events, and shows what it did
  serve --pipeline tiers.py                       runs it live (a command of main_holdmetrics)
  pipeline list                                   shows what a running service has
  pipeline reload tiers                           lets the edited file take over
"""


def add_pipeline(commands: Commands) -> None:
    """Add the command to a command line."""
    name = f"{program()} pipeline"
    pipeline = commands.add_parser(
        "pipeline",
        prog=name,
        help="write, check and test pipelines, and ask a running service about them",
        description="Write, check and test pipelines, and ask a running service about them.",
        epilog=_EPILOG,
    )
    words = pipeline.add_subparsers(dest="word", required=True, metavar="COMMAND")
    for add in (add_new, add_check, add_test, add_list, add_reload, add_replay, add_enable):
        add(words)
