"""`audit verify`: reads the history of an immudb, and prints what is proved or the first difference.

Chooses the parts and prints; the history is verified in `audit.history`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from poh_holdmetrics import native
from poh_holdmetrics.commands.parser import BINARY, EXIT_FAILED
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.file_scorer import records_from_file

if TYPE_CHECKING:
    import argparse

    from poh_holdmetrics.commands.parser import Commands
    from poh_holdmetrics.storage.immudb_client import Address
    from poh_holdmetrics.validation import Record

_DESCRIPTION = """\
Prove against immudb that the events of a leaderboard are those that were stored. Every transaction of the
database is read and every hash computed again. Then the stored events are compared with a source, a published
leaderboard, or both.
"""
_EPILOG = """\
  audit verify --store immudb://host/scores --state audit.state events.jsonl
  audit verify --store immudb://host/scores --state audit.state --data-dir ./data --leaderboard published.json

The first audit records the state of the database in --state; keep the file where the operator of the database
cannot write. Each later one proves that the history still contains what was recorded, and records the new
state if nothing differs.

Differences: proof (the history is not the one it was, or contradicts itself), value (an entry was
overwritten), missing (an event of the source is not stored, or was deleted), extra (another event is stored
for a token of the source), leaderboard (the stored events give another row).

A file is compared event by event. The journal of a service keeps only what can matter for a score
(covered holds are joined), so --data-dir is compared by the facts of each pair of token and holder.

Exit codes: 0 nothing differs; 1 something differs, the first difference is printed; 2 a bad argument or file,
or the server cannot be reached; 130 interrupted.
"""


def add_verify(words: Commands) -> None:
    """Add the command."""
    parser = words.add_parser(
        "verify",
        help="prove that the stored events are those of a source and a leaderboard",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--store",
        required=True,
        metavar="URL",
        help="immudb://user:password@host:port/database",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="source: JSONL or CSV, plain or .gz")
    parser.add_argument("--data-dir", metavar="FOLDER", help="source: journal and state of a stopped service")
    parser.add_argument("--leaderboard", metavar="FILE", help="a published answer, as /leaderboard gives it")
    parser.add_argument(
        "--state",
        metavar="FILE",
        help="the recorded state, written if nothing differs [default: that of URL]",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    try:
        from poh_holdmetrics.audit.difference import Difference  # noqa: PLC0415 - grpcio may be absent
        from poh_holdmetrics.storage.immudb_client import Address  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise InputError(
            "audit", "needs grpcio and protobuf; pip install 'poh-holdmetrics[immudb]'"
        ) from missing
    address = Address.of(arguments.store)
    state = arguments.state or address.options.get("state")
    result: dict[str, object] = {"verified": True}
    try:
        _verify(arguments, address, None if state is None else Path(state), result)
    except Difference as difference:
        result |= {
            "verified": False,
            "difference": {"kind": difference.kind, "detail": difference.detail},
        }
        text = f"difference: {difference}"
    else:
        text = _summary(result, state)
    print(json.dumps(result, ensure_ascii=False) if arguments.json else text)
    return 0 if result["verified"] else EXIT_FAILED


def _verify(
    arguments: argparse.Namespace, address: Address, state: Path | None, result: dict[str, object]
) -> None:
    from poh_holdmetrics.audit.comparison import (  # noqa: PLC0415
        check_events,
        check_facts,
        check_leaderboard,
    )
    from poh_holdmetrics.audit.history import read_history  # noqa: PLC0415
    from poh_holdmetrics.storage.immudb_client import COLLECTION, ImmudbClient  # noqa: PLC0415
    from poh_holdmetrics.storage.immudb_entries import key_prefix  # noqa: PLC0415
    from poh_holdmetrics.storage.immudb_ledger import read_state, write_state  # noqa: PLC0415

    recorded = None if state is None else read_state(state)
    published = None if arguments.leaderboard is None else _document(arguments.leaderboard)
    source = [record for file in arguments.files for record in records_from_file(file)]
    journal = None if arguments.data_dir is None else _journal(arguments.data_dir)
    client = ImmudbClient(address, timeout_seconds=60)
    try:
        client.open_session(creates=False)
        with _progress() as progress:
            history = read_history(
                client, key_prefix(address.options.get("collection", COLLECTION)), recorded, progress
            )
    finally:
        client.close()
    result |= {
        "transactions": history.state.tx,
        "state": history.state.hash.hex(),
        "since": None if recorded is None else recorded.tx,
        "events": len(history.events),
        "deleted": len(history.deleted),
    }
    if journal is not None:
        result["keys_compared"] = check_facts(history, journal)
    if arguments.files:
        result["events_compared"] = check_events(history, source)
    if published is not None:
        result["rows_compared"] = check_leaderboard(history, arguments.leaderboard, published)
    if state is not None:
        write_state(state, history.state)


def _document(file: str) -> object:
    try:
        return json.loads(Path(file).read_bytes())
    except OSError as error:
        raise InputError(file, error.strerror or str(error)) from error
    except ValueError as error:
        raise InputError(file, f"not JSON ({error})") from error


def _journal(folder: str) -> list[Record]:
    """The events of a stopped service, as the binary exports them."""
    binary = sys.executable if native.inside_host() else shutil.which(BINARY)
    if binary is None:
        raise InputError(
            "--data-dir", f"needs {BINARY}, which is not on the PATH; or give the file of its journal export"
        )
    with TemporaryDirectory() as made:
        file = str(Path(made) / "journal.jsonl")
        command = [binary, "journal", "export", "--data-dir", folder, "--output", file]
        ended = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603 - our own program
        if ended.returncode:
            raise InputError(
                "--data-dir", ended.stderr.strip() or f"journal export ended with {ended.returncode}"
            )
        return records_from_file(file)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """What shows how many transactions are verified, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return

    def show(done: int, total: int) -> None:
        if done % 64 == 0 or done == total:
            bar = "#" * (30 * done // total)
            sys.stderr.write(f"\rverified [{bar:30}] {done} of {total} transactions")
            sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\n")


def _summary(result: dict[str, object], state: str | None) -> str:
    since = result["since"]
    lines = [
        "verified: {transactions} transactions; {events} events stored, {deleted} deleted".format_map(result),
        f"state: {result['state']}",
        "history: consistent in itself; no earlier state was given"
        if since is None
        else f"history: contains the recorded state of transaction {since}",
    ]
    if "events_compared" in result:
        count = result["events_compared"]
        lines.append(f"events: all {count} of the source are stored, and no others for their tokens")
    if "keys_compared" in result:
        count = result["keys_compared"]
        lines.append(f"journal: the facts of all {count} keys are stored, and no others for their tokens")
    if "rows_compared" in result:
        lines.append(f"leaderboard: {result['rows_compared']} rows are those of the stored events")
    if state is not None:
        lines.append(f"recorded in {state}")
    return "\n".join(lines)
