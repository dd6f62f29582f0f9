"""An S3 server of its own process (moto), and a proxy before it that fails as told."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SERVE = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"
START_S = 60.0
HOP = ("connection", "transfer-encoding", "content-length", "server", "date")


@contextlib.contextmanager
def s3(bucket: str = "bucket") -> Iterator[str]:
    """The address of a server with one empty bucket."""
    port = _free_port()
    with subprocess.Popen([sys.executable, "-c", SERVE, str(port)], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            _put(f"{address}/{bucket}")
            yield address
        finally:
            process.kill()


def environment(address: str) -> dict[str, str]:
    """What a command needs to find it."""
    return {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass
class Mood:
    """How a proxy behaves: of `every` requests with one of `methods` whose path holds `of`, the
    first `times` fail: by a status, by cutting the answer's body, or by being slow."""

    status: int = 0
    cut: bool = False
    slow_s: float = 0.0
    every: int = 1
    times: int = 10**9
    methods: tuple[str, ...] = ("GET", "PUT", "HEAD", "POST", "DELETE")
    of: str = ""
    seen: int = 0
    failed: int = 0
    lock: Any = field(default_factory=threading.Lock)

    def fails(self, method: str, path: str) -> bool:
        with self.lock:
            if method not in self.methods or self.of not in path or self.failed >= self.times:
                return False
            self.seen += 1
            if self.seen % self.every:
                return False
            self.failed += 1
            return True


class Proxy:
    """Passes requests on to `target`, unless one of its `moods` says otherwise."""

    def __init__(self, target: str):
        self.target = target.removeprefix("http://")
        self.moods: tuple[Mood, ...] = ()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().handle_one_request()

            def log_message(self, *args: object) -> None:
                """Silence."""

            def do_GET(self) -> None:
                proxy.pass_on(self)

            do_PUT = do_HEAD = do_POST = do_DELETE = do_GET  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        mood = next((m for m in self.moods if m.fails(request.command, request.path)), Mood())
        time.sleep(mood.slow_s)
        if mood.status:
            _answer(request, mood.status, {}, b"")
            return
        connection = HTTPConnection(self.target, timeout=60)
        connection.request(request.command, request.path, body, dict(request.headers))
        answer = connection.getresponse()
        content = answer.read()
        headers = {k: v for k, v in answer.getheaders() if k.lower() not in HOP}
        if request.command == "HEAD":
            headers["Content-Length"] = answer.getheader("Content-Length", "0")
        _answer(request, answer.status, headers, content, cut=mood.cut)
        connection.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _answer(
    request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], content: bytes,
    cut: bool = False,
) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    if "Content-Length" not in headers:
        request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content[: len(content) // 2] if cut else content)
    if cut:
        request.wfile.flush()
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _put(url: str) -> None:
    """Make a bucket, as soon as somebody listens."""
    end = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=10).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


