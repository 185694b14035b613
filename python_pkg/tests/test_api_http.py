"""What the HTTP server in Python alone does beside its answers, which `test_api_parity` compares."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from poh_holdmetrics.api.addresses import Address
from poh_holdmetrics.api.hold_service import HoldService
from poh_holdmetrics.errors import InputError

for module in ("fastapi", "uvicorn"):
    pytest.importorskip(module, reason=f"{module} is not installed (extra http)")

from poh_holdmetrics.api.http_server import HttpServer  # noqa: E402

EVENT = b'{"token_id":"gold","holder_id":"ann","start":0,"end":10000,"weight":"2.5"}'
AS_OF = "as_of=2026-01-01"

Ask = Callable[..., tuple[int, Any, bytes]]


def asked(ask: Callable[[Ask], Any]) -> Any:
    """What `ask`, in a thread of its own, makes of a server."""

    async def run() -> Any:
        async with HttpServer(HoldService(), Address("127.0.0.1", 0)) as server:

            def request(path: str, body: Any = None, **headers: str) -> tuple[int, Any, bytes]:
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                asked_for = Request(f"http://127.0.0.1:{server.port}{path}", body, named)
                try:
                    with urlopen(asked_for, timeout=30) as answer:  # noqa: S310
                        return answer.status, answer.headers, answer.read()
                except HTTPError as error:
                    with error:
                        return error.code, error.headers, error.read()

            return await asyncio.to_thread(ask, request)

    return asyncio.run(run())


def test_an_answer_has_a_tag_that_stays_until_the_answer_changes(source: str) -> None:
    def ask(request: Ask) -> None:
        assert request("/hold", EVENT, content_type="application/json")[0] == 200
        status, headers, body = request(f"/leaderboard?{AS_OF}")
        assert (status, json.loads(body)["holders"][0]["score"]) == (200, "25"), source
        # The same event again: the sequence number grows, the answer stays.
        request("/hold", EVENT, content_type="application/json")
        tag = headers["etag"]
        status, known, body = request(f"/leaderboard?{AS_OF}", if_none_match=f'"x", {tag}')
        assert (status, known["etag"], body) == (304, tag, b"")
        request("/hold", EVENT.replace(b"2.5", b"3"), content_type="application/json")
        status, changed, _ = request(f"/leaderboard?{AS_OF}", if_none_match=tag)
        assert status == 200
        assert changed["etag"] != tag

    asked(ask)


def test_lines_may_be_cut_anywhere_and_one_that_is_too_long_is_refused_alone() -> None:
    def ask(request: Ask) -> None:
        text = EVENT + b"\n\n" + b"x" * 200_000 + b"\n" + EVENT.replace(b"ann", b"bob") + b"\n{"
        cuts = [text[at : at + 1000] for at in range(0, len(text), 1000)]
        status, _, body = request("/hold", iter(cuts), content_type="application/x-ndjson")
        answer = json.loads(body)
        assert (status, answer["accepted"], answer["refused_total"], answer["sequence"]) == (200, 2, 2, 2)
        too_long, not_json = answer["refused"]
        assert too_long == {"line": 3, "field": None, "reason": "a line may have at most 65536 bytes"}
        assert (not_json["line"], not_json["field"]) == (5, None)
        # Native code also says what and where.
        assert not_json["reason"].startswith("not JSON")

    asked(ask)


def test_a_refusal_names_no_option_of_the_command_line() -> None:
    naive = b'{"token_id":"T","holder_id":"h","start":"2025-07-21T00:00:00"}'
    near = b'{"token_id":"T","holder_id":"h","start":1,"ended_at":2}'

    def ask(request: Ask) -> None:
        _, _, body = request("/hold", naive, content_type="application/json")
        assert json.loads(body)["detail"].startswith(
            "start: no UTC offset (end it with Z or an offset like +02:00)"
        )
        for media_type in ("application/json", "application/x-ndjson"):
            text = b"[" + near + b"]" if media_type == "application/json" else near
            _, _, body = request("/hold", text, content_type=media_type)
            reason = json.loads(body)["refused"][0]["reason"]
            assert reason == 'key "ended_at": did you mean end? rename it'

    asked(ask)


def test_an_array_that_is_not_json_stores_nothing() -> None:
    def ask(request: Ask) -> None:
        for body in (b"[" + EVENT + b",]", b"[" + EVENT + b"] x", b"[" + EVENT + b" " + EVENT + b"]"):
            status, _, answer = request("/hold", body, content_type="application/json")
            assert (status, json.loads(answer)["detail"]) == (400, "the body is not JSON")
        assert json.loads(request("/stats")[2])["sequence"] == 0

    asked(ask)


@pytest.mark.parametrize(
    ("path", "headers", "status", "text"),
    [
        (
            "/hold",
            {"content_type": "application/json", "content_encoding": "gzip"},
            415,
            "content-encoding: ",
        ),
        (
            "/hold",
            {"content_type": 'application/json; charset="UTF-16"'},
            415,
            'content-type: charset "utf-16": events are read as UTF-8',
        ),
        (
            "/feed",
            {},
            404,
            "/feed is a path of main_holdmetrics serve; the Python server does not have it",
        ),
        ("/leaderboard?policy=p", {}, 400, 'policy: unknown policy "p"; the Python server publishes none, '),
        ("/stats?policy=p&holder_id=h", {}, 400, "policy: lists no single holder; leave out holder_id"),
    ],
)
def test_what_the_python_server_does_not_have_is_refused_with_a_sentence(
    path: str, headers: dict[str, str], status: int, text: str
) -> None:
    def ask(request: Ask) -> tuple[int, Any, bytes]:
        return request(path, EVENT if path == "/hold" else None, **headers)

    found, kept, body = asked(ask)
    assert (found, kept["content-type"]) == (status, "application/problem+json")
    assert json.loads(body)["detail"].startswith(text)


def test_a_body_that_is_too_large_is_refused() -> None:
    def ask(request: Ask) -> tuple[int, Any, bytes]:
        return request("/hold", b" " * (4 * 1024 * 1024 + 1), content_type="application/json")

    status, _, body = asked(ask)
    assert (status, json.loads(body)["title"]) == (413, "Payload Too Large")


def test_pages_continue_where_the_last_one_ended() -> None:
    def ask(request: Ask) -> None:
        events = [EVENT.replace(b"ann", f"h{number}".encode()) for number in range(5)]
        request("/hold", b"[" + b",".join(events) + b"]", content_type="application/json")
        path, listed = f"/stats?limit=2&{AS_OF}", []
        for _ in range(3):
            page = json.loads(request(path)[2])
            listed += page["holders"]
            path = f"/stats?limit=2&page_token={page['next_page_token']}"
        assert page["next_page_token"] is None
        assert listed == json.loads(request(f"/stats?{AS_OF}")[2])["holders"]
        first = json.loads(request(f"/stats?limit=2&{AS_OF}")[2])["next_page_token"]
        status, _, body = request(f"/stats?page_token={first}&token_id=gold")
        assert (status, json.loads(body)["field"]) == (400, "page_token")

    asked(ask)


def test_the_documentation_lists_every_path() -> None:
    def ask(request: Ask) -> None:
        assert request("/docs")[0] == 200
        paths = json.loads(request("/openapi.json")[2])["paths"]
        assert {path.partition("{")[0] for path in paths} == {
            *(
                "/hold",
                "/transfers",
                "/stats",
                "/leaderboard",
                "/holders/",
                "/deficits",
                "/healthz",
                "/metrics",
                "/readyz",
            )
        }
        names = [each["name"] for each in paths["/leaderboard"]["get"]["parameters"]]
        assert names == ["limit", "as_of", "from", "closed_only", "token_id", "policy"]

    asked(ask)


def test_an_address_in_use_is_refused() -> None:
    async def run() -> None:
        async with HttpServer(HoldService(), Address("127.0.0.1", 0)) as server:
            with pytest.raises(InputError, match="cannot listen there"):
                await HttpServer(HoldService(), Address("127.0.0.1", server.port)).__aenter__()

    asyncio.run(run())
