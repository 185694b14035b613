"""`pipeline list|reload|replay|enable`: asks a running service about its pipelines, over HTTP.

What the service answers is printed as a table or as JSON; nothing is known here of how pipelines run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from poh_holdmetrics.admin_client import ServiceRefused, service_at
from poh_holdmetrics.commands.parser import EXIT_FAILED
from poh_holdmetrics.table import text_table

if TYPE_CHECKING:
    import argparse

    from poh_holdmetrics.commands.parser import Commands

#: Where `serve` listens by default.
_URL = "http://127.0.0.1:8000"
_EPILOG = "Exit code: 0 done, 1 if the service refuses or cannot be reached, 2 if an argument is wrong."


def add_list(words: Commands) -> None:
    """Add the command."""
    parser = words.add_parser(
        "list",
        help="the pipelines of a running service",
        description="Show the pipelines of a running service: state, generation, lag, calls and failures.",
        epilog=_EPILOG,
    )
    _add_service(parser)
    parser.set_defaults(run=_list)


def add_reload(words: Commands) -> None:
    """Add the command."""
    parser = words.add_parser(
        "reload",
        help="let edited files take over in a running service",
        description="Load the file of a pipeline again, or all files. Nothing is lost or repeated meanwhile. "
        "If the new version is broken the old one goes on, and its traceback is printed.",
        epilog=_EPILOG,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="pipeline [default: all]")
    _add_service(parser)
    parser.set_defaults(run=_reload)


def add_replay(words: Commands) -> None:
    """Add the command."""
    parser = words.add_parser(
        "replay",
        help="deliver again what a sink of a running service has parked",
        description="Deliver the dead letters of a pipeline again: the events that a sink could not deliver.",
        epilog=_EPILOG,
    )
    parser.add_argument("name", metavar="NAME", help="pipeline")
    parser.add_argument("handler", nargs="?", metavar="SINK", help="sink [default: all of the pipeline]")
    _add_service(parser)
    parser.set_defaults(run=_replay)


def add_enable(words: Commands) -> None:
    """Add the command."""
    parser = words.add_parser(
        "enable",
        help="call handlers again that are disabled or back off, or run a quarantined pipeline",
        description="Call the handlers of a pipeline again that failures have disabled or made wait. A\n"
        "pipeline that has blocked the service until it was ended is not executed any more; this\n"
        "runs it again.",
        epilog=_EPILOG,
    )
    parser.add_argument("name", metavar="NAME", help="pipeline")
    _add_service(parser)
    parser.set_defaults(run=_enable)


def _add_service(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--url", default=_URL, metavar="URL", help=f"HTTP address of the service [default: {_URL}]"
    )
    parser.add_argument(
        "--ca",
        metavar="FILE",
        help="certificate authorities in PEM, one of which signed the server's certificate [default: those "
        "of the system]",
    )
    parser.add_argument(
        "--api-key-file",
        metavar="FILE",
        help="file that holds an API key of the scope admin and nothing else",
    )
    parser.add_argument("--json", action="store_true", help="print the answer of the service for a machine")


def _list(arguments: argparse.Namespace) -> int:
    return _asked(arguments, "GET", "/admin/pipelines", _pipelines)


def _reload(arguments: argparse.Namespace) -> int:
    query = f"?{urlencode({'name': arguments.name})}" if arguments.name else ""
    return _asked(arguments, "POST", f"/admin/pipelines/reload{query}", _reloaded)


def _replay(arguments: argparse.Namespace) -> int:
    query = f"?{urlencode({'handler': arguments.handler})}" if arguments.handler else ""
    path = f"/admin/pipelines/{quote(arguments.name, safe='')}/replay{query}"
    return _asked(arguments, "POST", path, _replayed)


def _enable(arguments: argparse.Namespace) -> int:
    path = f"/admin/pipelines/{quote(arguments.name, safe='')}/enable"
    return _asked(arguments, "POST", path, lambda answer: f"enabled {answer['enabled']}")


def _asked(
    arguments: argparse.Namespace, method: str, path: str, shown: Callable[[dict[str, Any]], str]
) -> int:
    service = service_at(arguments.url, authority=arguments.ca, api_key_file=arguments.api_key_file)
    try:
        answer = service.ask(method, path)
    except ServiceRefused as refused:
        if refused.traceback:
            print(refused.traceback.rstrip(), file=sys.stderr)
        print(f"error: {refused}", file=sys.stderr)
        return EXIT_FAILED
    print(json.dumps(answer, ensure_ascii=False, indent=1) if arguments.json else shown(answer))
    return 0


def _pipelines(answer: dict[str, Any]) -> str:
    pipelines = answer["pipelines"]
    rows = [("pipeline", "state", "generation", "lag", "calls", "failures", "handlers")]
    for each in pipelines:
        handlers = each["handlers"]
        lag = sum(consumer["lag_events"] for consumer in each["consumers"])
        calls, failures = (sum(handler[what] for handler in handlers) for what in ("calls", "failures"))
        names = ", ".join(_handler(handler) for handler in handlers)
        rows.append(
            (
                each["name"],
                each["state"],
                str(each["generation"]),
                f"{lag:,}",
                f"{calls:,}",
                f"{failures:,}",
                names,
            )
        )
    details = [f"{each['name']}: {each['detail'].rstrip()}" for each in pipelines if each["detail"]]
    return "\n".join([text_table(rows, right=(2, 3, 4, 5)), *("\n" + detail for detail in details)])


def _handler(handler: dict[str, Any]) -> str:
    state = handler["state"]
    return str(handler["name"]) if state == "running" else f"{handler['name']} ({state})"


def _reloaded(answer: dict[str, Any]) -> str:
    rows = [("pipelines", "generation", "digest", "file")]
    rows += [
        (", ".join(each["pipelines"]), str(each["generation"]), each["digest"][:12], each["file"])
        for each in answer["reloaded"]
    ]
    return text_table(rows, right=(1,))


def _replayed(answer: dict[str, Any]) -> str:
    rows = [("sink", "delivered", "files left", "why")]
    rows += [
        (each["handler"], f"{each['events']:,}", f"{each['files_left']:,}", each["reason"])
        for each in answer["sinks"]
    ]
    return text_table(rows, right=(1, 2))
