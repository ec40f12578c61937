"""A simple package index (PEP 503) on loopback that keeps its files in memory."""

import hashlib
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from packaging.utils import canonicalize_name


@dataclass
class PackageIndex:
    """What pip and uv can install from, by the address `url`."""

    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    """Paths that were asked for."""
    replaced: dict[str, bytes] = field(default_factory=dict)
    """Files that are served with other content than the one whose hash is announced."""
    _held: dict[str, threading.Event] = field(default_factory=dict)

    def add(self, *paths: Path) -> None:
        for path in paths:
            self.files[path.name] = path.read_bytes()

    def hold(self, name: str) -> None:
        """Let whoever asks for a file wait until `release`."""
        self._held[name] = threading.Event()

    def release(self) -> None:
        """Answer everybody again."""
        for held in self._held.values():
            held.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/simple/"

    def __enter__(self) -> Self:
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(with_content=True)

            def do_HEAD(self) -> None:
                self.answer(with_content=False)

            def answer(self, *, with_content: bool) -> None:
                index.requests.append(self.path)
                content = index.answer(self.path)
                self.send_response(404 if content is None else 200)
                kind = (
                    "application/octet-stream" if self.path.startswith("/files/") else "text/html"
                )
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                if with_content:
                    with suppress(ConnectionError):  # of one who has given up waiting
                        self.wfile.write(content or b"")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> bytes | None:
        """Return what is served at a path; None for 404."""
        room, _, name = path.strip("/").partition("/")
        if room == "files":
            if name in self._held:
                self._held[name].wait()
            return self.replaced.get(name, self.files.get(name))
        links = [
            f'<a href="/files/{file}#sha256={hashlib.sha256(content).hexdigest()}">{file}</a><br>'
            for file, content in self.files.items()
            if canonicalize_name(file.partition("-")[0]) == name
        ]
        return "".join(["<!DOCTYPE html>", *links]).encode() if links else None
