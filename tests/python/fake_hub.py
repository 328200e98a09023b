"""A small imitation of the Hugging Face hub, with the faults of networks on demand.

The hub answers the three requests plm makes (the list of a revision, HEAD and GET of a file); large files are
redirected to a second server on another port, as the real hub redirects to its storage. `faults` maps a file's
name to a list of faults; each request of its bytes takes one off the front. Everything asked is in `requests`.
"""

import hashlib
import json
import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_secretsecretsecret"


@dataclass
class Asked:
    server: str  # "hub" or "storage"
    method: str
    path: str
    headers: dict


@dataclass
class Repository:
    files: dict
    commit: str = "0123456789abcdef0123456789abcdef01234567"
    is_private: bool = False
    large: set = field(default_factory=set)  # those kept in the storage

    def etag(self, name):
        data = self.files[name]
        if name in self.large:
            return hashlib.sha256(data).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class FakeHub:
    def __init__(self):
        self.repositories = {}
        self.faults = defaultdict(list)  # of the bytes of a file
        self.hub_faults = []  # of the list of a revision
        self.listed = None  # names to list in place of those there are
        self.requests = []
        self.storage_host = "localhost"  # another name than the hub's
        self.ranges = True
        self.released = threading.Event()  # lets go of what a fault "hold" holds back
        self.lock = threading.Lock()
        self.hub, self.storage = (self._serve(handler) for handler in (HubHandler, StorageHandler))
        self.endpoint = f"http://127.0.0.1:{self.hub.server_port}"

    def _serve(self, handler):
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.fake = self
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    def add(self, name, files, **options):
        large = {file for file in files if file.endswith((".gguf", ".safetensors"))}
        self.repositories[name] = Repository(dict(files), large=large, **options)
        return self.repositories[name]

    def asked(self, method=None, server=None):
        return [r for r in self.requests if method in (None, r.method) and server in (None, r.server)]

    def close(self):
        for server in (self.hub, self.storage):
            server.shutdown()
            server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_kind = ""

    @property
    def fake(self):
        return self.server.fake

    def log_message(self, *_):
        pass

    def note(self):
        with self.fake.lock:
            self.fake.requests.append(Asked(self.server_kind, self.command, self.path, dict(self.headers)))

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def send_file(self, name, data):
        """The bytes, with the next fault of the file."""
        with self.fake.lock:
            faults = self.fake.faults[name]
            fault = faults.pop(0) if faults else None
        begin = 0
        if self.fake.ranges and (wanted := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))):
            begin = int(wanted[1])
            if begin >= len(data):
                return self.answer(416, Content_Range=f"bytes */{len(data)}")
        kind, argument = fault if isinstance(fault, tuple) else (fault, None)
        if kind == "status":
            return self.answer(argument, b"busy")
        if kind == "retry-after":
            return self.answer(429, Retry_After=argument)
        if kind == "redirect":
            return self.answer(302, Location=argument)
        if kind == "wrong bytes":
            data = bytes([data[0] ^ 1]) + data[1:]
        if kind == "wrong length":
            data = data + b"more"
        headers = {"Content_Length": len(data) - begin}
        if begin:
            headers["Content_Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            if kind == "wrong range":
                headers["Content_Range"] = f"bytes 0-{len(data) - 1}/{len(data)}"
        body = data[begin:]
        rest = b""
        if kind in ("cut", "stall", "hold"):
            body, rest = body[:argument], body[argument:]
        self.answer(206 if begin else 200, body if kind != "slow" else b"", **headers)
        if kind == "hold":
            self.wfile.flush()
            self.fake.released.wait(60)
            self.wfile.write(rest)
        if kind == "slow":
            for i in range(0, len(body), argument):
                self.wfile.write(body[i : i + argument])
                self.wfile.flush()
                time.sleep(0.05)
        if kind == "stall":  # until the client goes
            self.connection.settimeout(60)
            self.connection.recv(1)
        if kind in ("cut", "stall"):
            self.close_connection = True


class HubHandler(Handler):
    server_kind = "hub"

    def do_GET(self):
        self.note()
        path = unquote(urlsplit(self.path).path)
        if listing := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/(.+)", path):
            return self.list_revision(*listing.groups())
        if file := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self.resolve(*file.groups())
        return self.answer(404)

    def repository(self, name):
        found = self.fake.repositories.get(name)
        if found is None or (found.is_private and self.headers.get("Authorization") != f"Bearer {TOKEN}"):
            self.answer(401, X_Error_Code="RepoNotFound", X_Error_Message="Invalid username or password.")
            return None
        return found

    def list_revision(self, name, revision):
        fault = self.fake.hub_faults.pop(0) if self.fake.hub_faults else None
        if isinstance(fault, bytes):
            return self.answer(200, fault)
        if fault:
            return self.answer(fault)
        if (repository := self.repository(name)) is None:
            return None
        if revision not in ("main", "refs/pr/1", repository.commit):
            return self.answer(404, X_Error_Code="RevisionNotFound", X_Error_Message="Invalid rev id")
        names = self.fake.listed or list(repository.files)
        listing = {"id": name, "sha": repository.commit, "siblings": [{"rfilename": n} for n in names]}
        return self.answer(200, json.dumps(listing).encode(), Content_Type="application/json")

    def resolve(self, name, commit, file):
        if (repository := self.repository(name)) is None:
            return None
        if commit not in ("main", repository.commit) or file not in repository.files:
            return self.answer(404, X_Error_Code="EntryNotFound", X_Error_Message="Entry not found")
        facts = {"X_Repo_Commit": repository.commit, "ETag": f'"{repository.etag(file)}"'}
        if file in repository.large:
            facts["X_Linked_Etag"] = facts["ETag"]
            facts["X_Linked_Size"] = len(repository.files[file])
            host = f"{self.fake.storage_host}:{self.fake.storage.server_port}"
            return self.answer(302, Location=f"http://{host}/signed/{name}/{file}?signature=x", **facts)
        if self.command == "HEAD":
            return self.answer(200, Content_Length=len(repository.files[file]), **facts)
        return self.send_file(file, repository.files[file])


class StorageHandler(Handler):
    server_kind = "storage"

    def do_GET(self):
        self.note()
        user, name, file = unquote(urlsplit(self.path).path).removeprefix("/signed/").split("/", 2)
        return self.send_file(file, self.fake.repositories[f"{user}/{name}"].files[file])
