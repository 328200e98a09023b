"""A running `plm serve` for tests, and raw bytes to throw at it."""

import json
import re
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request


# What a tool takes that is told of the weather.
WEATHER = {
    "type": "object",
    "properties": {"place": {"enum": ["Rome", "Oslo"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["place", "days"],
}


class Server:
    """Starts on a port the system chooses; ends with the `with` block."""

    def __init__(self, plm, *flags, scheme="http"):
        command = [str(plm.path), "serve", "--port", "0", "-t", "2", *map(str, flags)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace")
        self.log = []
        self.port = None
        for line in self.process.stderr:
            self.log.append(line)
            if found := re.search(r"listening on \w+://\S+:(\d+)$", line.strip()):
                self.port = int(found.group(1))
                break
        assert self.port, "".join(self.log)
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        # Nobody may wait for us to read what it says.
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """The exit code after SIGTERM."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=120)
        self.reader.join(timeout=10)
        return code

    def ask(self, path, body=None, headers=None, method=None):
        """(status, JSON or text, headers) of a request; a body that is no bytes is sent as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:
                status, text, reply_headers = reply.status, reply.read(), reply.headers
        except urllib.error.HTTPError as error:
            status, text, reply_headers = error.code, error.read(), error.headers
        is_json = reply_headers.get("Content-Type", "").startswith("application/json")
        return status, json.loads(text) if is_json else text.decode(), reply_headers

    def ok(self, path, body=None, **options):
        status, reply, _ = self.ask(path, body, **options)
        assert status == 200, (path, body, status, reply)
        return reply

    def raw(self, data, shutdown=False):
        """What comes back for bytes, until the server closes or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(data)
            if shutdown:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            try:
                while part := connection.recv(65536):
                    received += part
                    if b"\r\n\r\n" in received and b"Connection: keep-alive" in received:
                        break
            except ConnectionResetError:
                pass
            return received

    def is_alive(self):
        return self.process.poll() is None and self.ask("/health")[0] == 200
