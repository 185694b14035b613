"""grpcurl, which reads the contract by server reflection.

``GRPCURL`` names the program; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from conftest import Service

GRPCURL = os.environ.get("GRPCURL", "")
pytestmark = pytest.mark.skipif(not GRPCURL, reason="GRPCURL is not set")


def grpcurl(service: Service, *words: str, message: str = "") -> subprocess.CompletedProcess[str]:
    data = ["-d", "@"] if message else []
    return subprocess.run(
        [GRPCURL, "-plaintext", "-max-time", "20", *data, service.grpc, *words],
        input=message,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_services_and_calls_are_listed(service: Service) -> None:
    listed = grpcurl(service, "list").stdout.split()
    assert {"poh.HoldMetrics", "grpc.health.v1.Health"} <= set(listed)
    calls = grpcurl(service, "list", "poh.HoldMetrics").stdout.split()
    assert "poh.HoldMetrics.BroadcastBatch" in calls


def test_events_in_and_answers_out(service: Service) -> None:
    event = {
        "token_id": "T",
        "holder_id": "a",
        "start": "1970-01-01T00:00:00Z",
        "end": "1970-01-01T00:00:10Z",
    }
    ack = json.loads(grpcurl(service, "poh.HoldMetrics/Record", message=json.dumps(event)).stdout)
    assert ack == {
        "sequence": "1",
        "durability": "BUFFERED",
        "accepted": "1",
        "warnings": ["W01 epoch-seconds"],
    }
    stream = json.dumps(event) + json.dumps({**event, "holder_id": ""})
    acks = grpcurl(service, "poh.HoldMetrics/Broadcast", message=stream).stdout
    assert '"reason": "holder_id: missing or empty"' in acks
    stats = json.loads(grpcurl(service, "poh.HoldMetrics/Stats").stdout)
    assert (stats["holderId"], stats["totalSeconds"], stats["weightedScore"]) == ("a", "10", 10)
    health = json.loads(grpcurl(service, "grpc.health.v1.Health/Check").stdout)
    assert health == {"status": "SERVING"}


def test_the_feed_is_read_by_reflection(service: Service) -> None:
    event = {"token_id": "T", "holder_id": "a", "start": "1970-01-01T00:00:00Z"}
    grpcurl(service, "poh.HoldMetrics/Record", message=json.dumps(event))
    start = {"start": {"consumer": "c", "from_sequence": 1}}
    # It ends its requests, and so the feed, after the last message.
    opened = json.loads(grpcurl(service, "poh.HoldMetrics/Feed", message=json.dumps(start)).stdout)
    assert (opened["firstSequence"], opened["newestSequence"]) == ("1", "1")


def test_a_refusal_names_its_field(service: Service) -> None:
    refused = grpcurl(service, "poh.HoldMetrics/Record", message='{"token_id": "T"}')
    assert refused.returncode == 64 + 3, "INVALID_ARGUMENT"
    assert "holder_id: missing or empty" in refused.stderr
    assert "google.rpc.BadRequest" in refused.stderr
    # The types of the details come from reflection, too.
    assert '"field": "holder_id"' in refused.stderr
