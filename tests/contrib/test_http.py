"""`contrib.httpx` and `contrib.requests`, with the real libraries."""

from __future__ import annotations

import asyncio
import http.server
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests

from secretmem import Secret, posture, sources
from secretmem.contrib import httpx as with_httpx
from secretmem.contrib import requests as with_requests
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


pytestmark = pytest.mark.needs_secretmem


class Answer(http.server.BaseHTTPRequestHandler):
    """Says what header it was given; ``/old`` leads to ``/new``."""

    def do_GET(self) -> None:
        """Answer."""
        body = (self.headers["Authorization"] or "none").encode()
        self.send_response(302 if self.path == "/old" else 200)
        self.send_header("Location", "/new")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Have a server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _httpx(url: str, token: Any, *scheme: str) -> tuple[str, Any]:  # noqa: ANN401 - either library's
    auth = with_httpx.BearerAuth(token, *scheme)
    with httpx.Client(
        auth=auth, follow_redirects=True, timeout=PATIENCE
    ) as client:
        answer = client.get(url)
    return answer.text, answer.request.headers


def _httpx_async(url: str, token: Any, *scheme: str) -> tuple[str, Any]:  # noqa: ANN401 - as above
    async def get() -> httpx.Response:
        auth = with_httpx.BearerAuth(token, *scheme)
        async with httpx.AsyncClient(
            follow_redirects=True, timeout=PATIENCE
        ) as client:
            return await client.get(url, auth=auth)

    answer = asyncio.run(get())
    return answer.text, answer.request.headers


def _requests(url: str, token: Any, *scheme: str) -> tuple[str, Any]:  # noqa: ANN401 - as above
    with requests.Session() as session:
        session.auth = with_requests.BearerAuth(token, *scheme)
        answer = session.get(url, timeout=PATIENCE)
    return answer.text, answer.request.headers


GET = {"httpx": _httpx, "httpx, async": _httpx_async, "requests": _requests}
ways = pytest.mark.parametrize("get", GET.values(), ids=GET)


@ways
def test_the_token_is_sent_and_taken_off(
    url: str, get: Callable[..., tuple[str, Any]]
) -> None:
    """One export for each request, over a redirect too."""
    before = sum(posture().exports.values())
    with Secret.from_bytes(b"tok.en-1~/+=") as token:
        text, headers = get(url, token)
        assert text == "Bearer tok.en-1~/+="
        assert "Authorization" not in headers
        assert sum(posture().exports.values()) == before + 1
        assert get(url, token, "token")[0] == "token tok.en-1~/+="
        text, headers = get(f"{url}/old", token)
        assert text == "Bearer tok.en-1~/+="
        assert "Authorization" not in headers


@ways
@pytest.mark.parametrize("text", [b"word\n", b"two words", b"\xff", b""])
def test_what_no_header_can_hold_is_refused(
    url: str, get: Callable[..., tuple[str, Any]], text: bytes
) -> None:
    """Before the library's own message would show it."""
    with Secret.from_bytes(text) as token:
        with pytest.raises(ValueError, match=r"token|empty") as caught:
            get(url, token)
        assert "word" not in repr(caught.value).replace("words", "")
    with pytest.raises(TypeError, match="Secret"):
        get(url, "word")


def test_the_headers_of_a_prepared_request(url: str) -> None:
    """They show no token, and do not read it to be looked at."""
    before = sum(posture().exports.values())
    with Secret.from_bytes(b"word") as token, requests.Session() as session:
        made = requests.Request(
            "GET", url, auth=with_requests.BearerAuth(token)
        )
        prepared = session.prepare_request(made)
        assert "authorization" in prepared.headers
        assert "word" not in repr(prepared.headers)
        copied = prepared.copy()
        assert sum(posture().exports.values()) == before
        assert copied.headers["Authorization"] == "Bearer word"
        del copied.headers["Authorization"]
        assert "Authorization" not in copied.copy().headers
        assert session.send(prepared, timeout=30).text == "Bearer word"
        assert sum(posture().exports.values()) == before + 2


@ways
def test_a_followed_source(
    url: str, get: Callable[..., tuple[str, Any]], tmp_path: Path
) -> None:
    """The value of now."""
    path = tmp_path / "token"
    path.write_text("one")
    with sources.File(path).watch(interval=0) as watch:
        assert get(url, watch)[0] == "Bearer one"
        path.write_text("three")
        assert get(url, watch)[0] == "Bearer three"
