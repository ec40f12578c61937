"""The HTTP side: routes, access, redirects to a second host, ranges, faults, and the record."""

import base64
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

import yaml

from .faults import Fault
from .repository import Commit, Kind, Repository, sha256

Host = Literal["hub", "storage"]

_REPOSITORY = r"(?P<id>[\w.-]+/[\w.-]+)"
_API = rf"/api/(?P<kind>models|datasets)/{_REPOSITORY}"
_WEB = rf"/(?:(?P<kind>datasets)/)?{_REPOSITORY}"


@dataclass(frozen=True)
class Request:
    """One request as it arrived; header names are in lower case."""

    host: Host
    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def token(self) -> str | None:
        """The token that the client sent to this host."""
        return self.headers.get("authorization", "").removeprefix("Bearer ") or None


@dataclass
class _Answer:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class _RefusedError(Exception):
    """An answer with an error's status, and the headers in which the Hub's client looks for it."""

    def __init__(
        self, status: int, message: str, code: str | None = None, **headers: str | int
    ) -> None:
        super().__init__(message)
        named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        named["X-Error-Message"] = message
        if code:
            named["X-Error-Code"] = code
        named["Content-Type"] = "application/json"
        self.answer = _Answer(json.dumps({"error": message}).encode(), status, named)


@dataclass(frozen=True)
class _Call:
    """A request on its way through a route."""

    method: str
    parts: Mapping[str, str]
    query: Mapping[str, list[str]]
    body: bytes
    token: str | None

    @property
    def kind(self) -> Kind:
        return "datasets" if self.parts.get("kind") == "datasets" else "models"

    def json(self) -> Any:
        return json.loads(self.body)


class HubServer:
    """A Hub on two ports of 127.0.0.1: the Hub itself, and the storage host for large files."""

    def __init__(self, *, large: int = 4096, page_size: int = 100) -> None:
        self.large = large
        """Files of so many bytes and more are LFS files."""
        self.page_size = page_size
        """How many repositories a page of the list has."""
        self.redirects = False
        """Whether large files are served by the storage host, after a redirect."""
        self.requests: list[Request] = []
        self.repositories: dict[tuple[Kind, str], Repository] = {}
        self._accounts: dict[str, str] = {}
        self._granted: set[tuple[str, str]] = set()
        self._objects: dict[str, bytes] = {}
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._listeners: dict[Host, _Listener] = {}

    def __enter__(self) -> Self:
        hosts: tuple[Host, ...] = ("hub", "storage")
        for host in hosts:
            listener = _Listener(self, host)
            self._listeners[host] = listener
            threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for listener in self._listeners.values():
            listener.shutdown()
            listener.server_close()

    @property
    def url(self) -> str:
        """The value of HF_ENDPOINT."""
        return self._listeners["hub"].url

    @property
    def storage_url(self) -> str:
        """The second host."""
        return self._listeners["storage"].url

    def environment(
        self, home: Path, *, token: str | None = None, offline: bool = False
    ) -> dict[str, str]:
        """Return the whole environment of a client process whose home and caches are in `home`."""
        dropped = re.compile(r"HF_|HUGGINGFACE_|TRANSFORMERS_|XDG_CACHE|GANZOO_|(.*_proxy$)", re.I)
        kept = {name: value for name, value in os.environ.items() if not dropped.match(name)}
        settings = {
            "HOME": str(home),
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home / "huggingface"),
            "GANZOO_CACHE": str(home / "ganzoo"),
            "NO_PROXY": "127.0.0.1",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        }
        if token:
            settings["HF_TOKEN"] = token
        if offline:
            settings["HF_HUB_OFFLINE"] = "1"
        return kept | settings

    def token(self, account: str) -> str:
        """Return a token of an account, which may read and write the repositories `account/*`."""
        token = f"hf_{account}"
        self._accounts[token] = account
        return token

    def grant(self, account: str, repository: str) -> None:
        """Let an account read a gated repository."""
        self._granted.add((account, repository))

    def add(
        self,
        repository: str,
        files: Mapping[str, bytes],
        *,
        kind: Kind = "models",
        tag: str | None = None,
        private: bool = False,
        gated: bool = False,
        downloads: int = 0,
        likes: int = 0,
    ) -> str:
        """Commit files to a repository, which is created if need be, and return the revision."""
        with self._lock:
            found = self.repositories.get((kind, repository)) or self._create(kind, repository)
            found.private, found.gated = private, gated
            found.downloads, found.likes = downloads, likes
            commit = found.commit(dict(files), "Add files")
            if tag:
                found.tags[tag] = commit.id
            return commit.id

    def repository(self, repository: str, kind: Kind = "models") -> Repository:
        """Return a repository to look into."""
        return self.repositories[kind, repository]

    def fault(self, pattern: str, **settings: Any) -> Fault:
        """Let answers to paths that match a regular expression go wrong; see `Fault`."""
        fault = Fault(pattern, **settings)
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """Take all faults back."""
        self._faults.clear()

    def paths(self, method: str) -> list[str]:
        """Return the paths of the recorded requests with a method, in their order."""
        return [request.path for request in self.requests if request.method == method]

    # What follows is called by the handlers, each in a thread of its own.

    def answer(self, request: Request, body: bytes) -> _Answer:
        """Find the route of a request and follow it."""
        address = urlsplit(request.path)
        path = unquote(address.path)
        for method, pattern, route in _ROUTES[request.host]:
            found = re.fullmatch(pattern, path)
            if found and request.method in method.split():
                parts = {name: value for name, value in found.groupdict().items() if value}
                call = _Call(request.method, parts, parse_qs(address.query), body, request.token)
                with self._lock:
                    try:
                        return route(self, call)
                    except _RefusedError as refused:
                        return refused.answer
        return _RefusedError(404, f"no such route: {request.method} {path}").answer

    def record(self, request: Request) -> Fault | None:
        """Write a request down, and return the fault that strikes it."""
        with self._lock:
            self.requests.append(request)
            faults = [fault for fault in self._faults if not fault.spoils_the_body]
        return next((f for f in faults if f.strikes(request.method, request.path)), None)

    def body_fault(self, request: Request) -> Fault | None:
        """Return the fault that strikes a body which is about to be sent."""
        with self._lock:
            faults = [fault for fault in self._faults if fault.spoils_the_body]
        return next((f for f in faults if f.strikes(request.method, request.path)), None)

    def _create(self, kind: Kind, repository: str, *, private: bool = False) -> Repository:
        created = Repository(repository, kind, self.large, private)
        created.commit({".gitattributes": b"*.safetensors filter=lfs\n"}, "initial commit")
        self.repositories[kind, repository] = created
        return created

    def _account(self, call: _Call) -> str | None:
        if call.token is None:
            return None
        if call.token not in self._accounts:
            raise _RefusedError(401, "Invalid credentials in Authorization header")
        return self._accounts[call.token]

    def _readable(self, call: _Call) -> Repository:
        """Return the repository that a call names, as far as its token may know of it."""
        account = self._account(call)
        found = self.repositories.get((call.kind, call.parts["id"]))
        if found is None or (found.private and account != found.id.split("/")[0]):
            raise _RefusedError(404 if account else 401, "Repository not found", "RepoNotFound")
        return found

    def _writable(self, call: _Call) -> Repository:
        found = self._readable(call)
        self._may_write(call, found.id)
        return found

    def _may_write(self, call: _Call, repository: str) -> None:
        account = self._account(call)
        if account is None:
            raise _RefusedError(401, "Invalid username or password.")
        namespace = repository.split("/")[0]
        if account != namespace:
            raise _RefusedError(403, f"You don't have the rights to write in {namespace}")

    def _commit(self, call: _Call, repository: Repository) -> Commit:
        commit = repository.resolve(call.parts.get("revision", "main"))
        if commit is None:
            raise _RefusedError(404, "Invalid rev id", "RevisionNotFound")
        return commit

    def _whoami(self, call: _Call) -> _Answer:
        account = self._account(call)
        if account is None:
            raise _RefusedError(401, "Invalid username or password.")
        return _json(
            {"type": "user", "name": account, "orgs": [], "auth": {"type": "access_token"}}
        )

    def _create_repository(self, call: _Call) -> _Answer:
        wanted = call.json()
        namespace = wanted.get("organization") or self._account(call)
        repository = f"{namespace}/{wanted['name']}"
        self._may_write(call, repository)
        kind: Kind = "datasets" if wanted.get("type") == "dataset" else "models"
        url = f"{self.url}/{'datasets/' if kind == 'datasets' else ''}{repository}"
        if (kind, repository) in self.repositories:
            answer = _json({"error": "You already created this model repo", "url": url})
            answer.status = 409
            return answer
        private = bool(wanted.get("private")) or wanted.get("visibility") == "private"
        self._create(kind, repository, private=private)
        return _json({"url": url, "name": repository})

    def _validate_card(self, call: _Call) -> _Answer:
        content = call.json()["content"]
        problems: list[dict[str, str]] = []
        if content.startswith("---\n"):
            try:
                data = yaml.safe_load(content[4:].split("\n---", 1)[0])
            except yaml.YAMLError as error:
                problems.append({"message": f"not YAML: {str(error).splitlines()[0]}"})
            else:
                if not isinstance(data, dict):
                    problems.append({"message": "metadata must be a mapping"})
                elif not isinstance(data.get("library_name", ""), str):
                    problems.append({"message": '"library_name" must be a string'})
        answer = _json({"errors": problems, "warnings": []})
        answer.status = 400 if problems else 200
        return answer

    def _list(self, call: _Call) -> _Answer:
        account = None if call.token is None else self._account(call)
        wanted, search = call.query.get("filter", []), call.query.get("search", [""])[0].lower()
        found = []
        for (kind, name), repository in self.repositories.items():
            hidden = repository.private and account != name.split("/")[0]
            tags = repository.derived_tags(repository.head)
            named = kind == call.kind and not hidden and search in name.lower()
            if named and all(tag in tags for value in wanted for tag in value.split(",")):
                found.append(repository.info(repository.head))
        for key in call.query.get("sort", []):
            found.sort(key=lambda info: info[key], reverse=True)
        start = int(call.query.get("cursor", ["0"])[0])
        size = min(self.page_size, int(call.query.get("limit", [self.page_size])[0]))
        answer = _json(found[start : start + size])
        if start + size < len(found):
            query = urlencode({**call.query, "cursor": start + size}, doseq=True)
            answer.headers["Link"] = f'<{self.url}/api/{call.kind}?{query}>; rel="next"'
        return answer

    def _info(self, call: _Call) -> _Answer:
        repository = self._readable(call)
        return _json(repository.info(self._commit(call, repository), blobs="blobs" in call.query))

    def _tree(self, call: _Call) -> _Answer:
        repository = self._readable(call)
        self._past_the_gate(call, repository)
        entries = repository.tree(self._commit(call, repository))
        below = f"{call.parts['folder']}/" if "folder" in call.parts else ""
        entries = [entry for entry in entries if entry["path"].startswith(below)]
        folders = {
            entry["path"][: len(below) + slash.start()]
            for entry in entries
            for slash in re.finditer("/", entry["path"][len(below) :])
        }
        listed = [
            {"type": "directory", "path": name, "size": 0, "oid": ""} for name in sorted(folders)
        ]
        listed += entries
        if call.query.get("recursive", ["false"])[0].lower() not in ("true", "1"):
            listed = [entry for entry in listed if "/" not in entry["path"][len(below) :]]
        return _json(listed)

    def _paths_info(self, call: _Call) -> _Answer:
        repository = self._readable(call)
        self._past_the_gate(call, repository)
        try:
            wanted = call.json()["paths"]
        except json.JSONDecodeError:
            wanted = parse_qs(call.body.decode())["paths"]
        entries = repository.tree(self._commit(call, repository))
        return _json([entry for entry in entries if entry["path"] in wanted])

    def _references(self, call: _Call) -> _Answer:
        repository = self._readable(call)

        def listed(kind: str, names: dict[str, str]) -> list[dict[str, str]]:
            return [
                {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}
                for name, commit in names.items()
            ]

        branches, tags = listed("heads", repository.branches), listed("tags", repository.tags)
        return _json({"branches": branches, "tags": tags, "converts": []})

    def _create_tag(self, call: _Call) -> _Answer:
        repository = self._writable(call)
        name = call.json()["tag"]
        commit = self._commit(call, repository)
        if name in repository.tags:
            raise _RefusedError(409, f"Tag {name} already exists")
        repository.tags[name] = commit.id
        return _json({})

    def _preupload(self, call: _Call) -> _Answer:
        repository = self._writable(call)
        present = self._commit(call, repository).files
        files = []
        for file in call.json()["files"]:
            content = present.get(file["path"])
            files.append(
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["size"] >= self.large else "regular",
                    "shouldIgnore": False,
                    "oid": None if content is None else repository.etag(content),
                }
            )
        return _json({"files": files})

    def _lfs_batch(self, call: _Call) -> _Answer:
        repository = self._writable(call)
        objects = []
        for wanted in call.json()["objects"]:
            entry = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self._objects:
                href = f"{self.storage_url}/upload/{repository.id}/{wanted['oid']}"
                entry["actions"] = {"upload": {"href": href}}
            objects.append(entry)
        return _json({"transfer": "basic", "objects": objects})

    def _store(self, call: _Call) -> _Answer:
        if sha256(call.body) != call.parts["sha256"]:
            raise _RefusedError(
                400, "the content does not have the hash that it was announced with"
            )
        self._objects[call.parts["sha256"]] = call.body
        return _Answer()

    def _write(self, call: _Call) -> _Answer:
        repository = self._writable(call)
        head = self._commit(call, repository)
        changes: dict[str, bytes | None] = {}
        message = ""
        for line in call.body.splitlines():
            item = json.loads(line)
            key, value = item["key"], item["value"]
            if key == "header":
                message = value["summary"]
                if value.get("parentCommit") not in (None, head.id):
                    raise _RefusedError(
                        412, "A commit has happened since. Please refresh and try again."
                    )
            elif key == "file":
                changes[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                if value["oid"] not in self._objects:
                    raise _RefusedError(400, f"LFS object {value['oid']} was never uploaded")
                changes[value["path"]] = self._objects[value["oid"]]
            elif key == "deletedFile":
                if value["path"] not in head.files:
                    raise _RefusedError(404, "A file with this name doesn't exist", "EntryNotFound")
                changes[value["path"]] = None
        commit = repository.commit(changes, message, call.parts["revision"])
        url = f"{self.url}/{repository.id}/commit/{commit.id}"
        return _json({"success": True, "commitOid": commit.id, "commitUrl": url})

    def _past_the_gate(self, call: _Call, repository: Repository) -> None:
        account = self._account(call)
        owner = repository.id.split("/")[0]
        if repository.gated and account != owner and (account, repository.id) not in self._granted:
            message = f"Access to model {repository.id} is restricted."
            raise _RefusedError(403 if account else 401, message, "GatedRepo")

    def _resolve(self, call: _Call) -> _Answer:
        repository = self._readable(call)
        self._past_the_gate(call, repository)
        commit = self._commit(call, repository)
        content = commit.files.get(call.parts["path"])
        if content is None:
            raise _RefusedError(404, "Entry not found", "EntryNotFound", X_Repo_Commit=commit.id)
        etag = repository.etag(content)
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit.id, "Accept-Ranges": "bytes"}
        if not repository.is_large(content):
            return _Answer(content, 200, headers)
        headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(content))}
        self._objects[etag] = content
        if not self.redirects:
            return _Answer(content, 200, headers)
        path = quote(f"/stored/{etag}/{repository.id}/{call.parts['path']}")
        return _Answer(b"", 302, {**headers, "Location": f"{self.storage_url}{path}"})

    def _stored(self, call: _Call) -> _Answer:
        content = self._objects[call.parts["sha256"]]
        headers = {"ETag": f'"{call.parts["sha256"]}"', "Accept-Ranges": "bytes"}
        return _Answer(content, 200, headers)


_Route = Callable[[HubServer, _Call], _Answer]

_ROUTES: dict[Host, list[tuple[str, str, _Route]]] = {
    "hub": [
        ("GET", r"/api/whoami-v2", HubServer._whoami),
        ("POST", r"/api/repos/create", HubServer._create_repository),
        ("POST", r"/api/validate-yaml", HubServer._validate_card),
        ("GET", r"/api/(?P<kind>models|datasets)", HubServer._list),
        ("GET", _API, HubServer._info),
        ("GET", rf"{_API}/revision/(?P<revision>.+)", HubServer._info),
        ("GET", rf"{_API}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?", HubServer._tree),
        ("POST", rf"{_API}/paths-info/(?P<revision>.+)", HubServer._paths_info),
        ("GET", rf"{_API}/refs", HubServer._references),
        ("POST", rf"{_API}/tag/(?P<revision>.+)", HubServer._create_tag),
        ("POST", rf"{_API}/preupload/(?P<revision>.+)", HubServer._preupload),
        ("POST", rf"{_API}/commit/(?P<revision>.+)", HubServer._write),
        ("POST", rf"{_WEB}\.git/info/lfs/objects/batch", HubServer._lfs_batch),
        ("GET HEAD", rf"{_WEB}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", HubServer._resolve),
    ],
    "storage": [
        ("PUT", rf"/upload/{_REPOSITORY}/(?P<sha256>[0-9a-f]{{64}})", HubServer._store),
        ("GET HEAD", r"/stored/(?P<sha256>[0-9a-f]{64})/.+", HubServer._stored),
    ],
}


def _json(value: Any) -> _Answer:
    return _Answer(json.dumps(value).encode(), 200, {"Content-Type": "application/json"})


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, hub: HubServer, host: Host) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub = hub
        self.host: Host = host

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that leave in the middle of an answer, as killed ones do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        hub = self.server.hub
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.server.host, self.command, self.path, headers)
        body = self._body()
        fault = hub.record(request)
        if fault is not None and fault.stall is not None:
            time.sleep(fault.stall)
        if fault is not None and fault.status is not None:
            answer = _RefusedError(fault.status, "a fault that a test asked for").answer
            if fault.retry_after is not None:
                answer.headers["Retry-After"] = str(fault.retry_after)
            self._send(answer)
            return
        answer = hub.answer(request, body)
        if answer.status == 200 and "range" in headers and "Accept-Ranges" in answer.headers:
            answer = _part(answer, headers["range"])
        has_body = self.command == "GET" and answer.status in (200, 206)
        self._send(answer, hub.body_fault(request) if has_body else None)

    do_HEAD = do_POST = do_PUT = do_GET

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _send(self, answer: _Answer, fault: Fault | None = None) -> None:
        body = fault.spoil(answer.body) if fault else answer.body
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault and fault.cut_after is not None:
            self.wfile.write(body[: fault.cut_after])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault and fault.slow is not None:
            step = max(1, len(body) // 16)
            for start in range(0, len(body), step):
                time.sleep(fault.slow)
                self.wfile.write(body[start : start + step])
        else:
            self.wfile.write(body)


def _part(answer: _Answer, wanted: str) -> _Answer:
    """Cut an answer down to the one range of bytes that was asked for."""
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
    total = len(answer.body)
    if found is None:
        return answer
    start, end = int(found[1]), min(int(found[2] or total - 1), total - 1)
    if start > end:
        return _Answer(b"", 416, {"Content-Range": f"bytes */{total}"})
    headers = {**answer.headers, "Content-Range": f"bytes {start}-{end}/{total}"}
    return _Answer(answer.body[start : end + 1], 206, headers)
