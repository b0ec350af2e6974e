"""A W&B server on this machine that keeps workspaces and takes runs, as far as `sdsiqa` asks it to."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """What it was told lies in `views` (by name), and in order: `saved` views, `runs`, `artifacts`, artifacts `used`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.views: dict[str, dict[str, Any]] = {}
        self.saved: list[str] = []
        self.runs: list[dict[str, Any]] = []
        self.artifacts: list[dict[str, Any]] = []
        self.used: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, query: str, values: dict[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        if "viewer" in query:
            data["viewer"] = {"id": "1", "entity": "me", "username": "me", "email": "", "flags": "{}", "teams": {"edges": []}}
        if "serverInfo" in query:
            data["serverInfo"] = {"features": [], "cliVersionInfo": {}, "latestLocalVersionInfo": None}
        if "allViews" in query:
            views = [{"node": view} for name, view in self.views.items() if name == values["viewName"]]
            data["project"] = {"allViews": {"edges": views}}
        if "upsertView" in query:
            view = {"id": "V1", "displayName": values["displayName"], "spec": values["spec"]}
            self.views[values["name"]] = view
            self.saved.append(values["name"])
            data["upsertView"] = {"view": {"id": "V1", "name": values["name"]}, "inserted": "id" not in values}
        if "upsertBucket" in query:
            self.runs.append({**values, "config": json.loads(values["config"] or "{}")})
            project = {"id": "P1", "name": values["project"], "entity": {"id": "E1", "name": "me"}}
            bucket = {"id": "R1", "name": values["name"], "displayName": values["name"], "config": "{}", "project": project}
            data["upsertBucket"] = {"bucket": {**bucket, "historyLineCount": 0}, "inserted": True}
        if "createArtifact(" in query:
            self.artifacts.append(values["input"])
            known = {"id": f"A{len(self.artifacts)}", "state": "COMMITTED", "artifactSequence": {"latestArtifact": None}}
            data["createArtifact"] = {"artifact": known}  # there already: its files need not go up
        if "createRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"{self.address}/file"} for name in values["files"]]
            data["createRunFiles"] = {"runID": "R1", "uploadHeaders": [], "files": files}
        if "useArtifact" in query:
            self.used.append(values["input"]["artifactID"])
            data["useArtifact"] = {"artifact": {"id": values["input"]["artifactID"]}}
        return data


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/graphql":  # else a stream of metrics, which is taken and forgotten
            asked = json.loads(text)
            text = json.dumps({"data": self.server.answer(asked["query"], asked.get("variables") or {})}).encode()
        else:
            text = b"{}"
        self._send(text)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send(b"")

    def _send(self, text: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serve() -> Iterator[Server]:
    """Run a server while it is needed."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
