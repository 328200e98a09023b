#!/usr/bin/env python3
"""Crowds, quitters, slow readers and nonsense for `plm serve`, for a while.

    tools/serve_soak.py [--plm build/bin/plm] [-m MODEL] [--clients 64] [--seconds 180] [-- FLAG OF PLM SERVE...]

Every client goes on asking: completions and chats, whole and streamed, embeddings, tokens; it leaves in the midst of
some, reads others a few bytes at a time, and sends requests that are none. What the server answers must be what the
request deserves, texts of greedy requests must be those of the first time, and memory must stay as it was after a third
of the time. Prints what was asked and found; exits 1 on an error that is not the client's or on growth above --growth.
"""

import argparse
import collections
import http.client
import json
import random
import re
import signal
import socket
import threading
import time

from serve_process import start

PROMPTS = ["Once upon a time", "The dog", "There was a little girl who", "One day the king", "I", "In the morning the bird"]
NONSENSE = [b"", b"{", b"[]", b'{"prompt": 5}', b'{"prompt": "a", "n": 99999}', b'{"prompt": "a", "temperature": "hot"}',
            b'{"prompt": "a", "stop": [1]}', b'{"messages": [{"role": "king"}]}', b"\xff\xfe", b'{"a":' * 5000,
            b'{"prompt": "' + b"long " * 20000 + b'"}', b'{"prompt": [-1]}']  # fmt: skip
BAD_HEADS = [b"\0\1\2\r\n\r\n", b"GET\r\n\r\n", b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
             b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 50_000 + b"\r\n\r\n"]  # fmt: skip


class Soak:
    def __init__(self, port, seconds):
        self.port = port
        self.end = time.monotonic() + seconds
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.errors = []
        self.texts = {}

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def wrong(self, what):
        with self.lock:
            self.errors.append(what)

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def post(self, path, body):
        connection = self.connect()
        try:
            connection.request("POST", path, body if isinstance(body, bytes) else json.dumps(body))
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def expect(self, kind, status, allowed, detail=b""):
        self.count(f"{kind} {status}")
        if status in (429, 503):
            time.sleep(0.3)  # less than Retry-After asks for
        if status not in allowed:
            self.wrong(f"{kind}: status {status}, expected {sorted(allowed)}: {detail[:200]!r}")

    def check_text(self, key, text):
        with self.lock:
            first = self.texts.setdefault(key, text)
        if first != text:
            self.wrong(f"the answer to {key} was {first!r} and now is {text!r}")

    # What a client does. 429 and 503 are answers a full server may give.

    def complete(self, dice):
        # Without the cache and with few tokens of prompt the text depends on the request alone.
        prompt, n = dice.choice(PROMPTS), dice.choice([4, 16, 40])
        body = {"prompt": prompt, "max_tokens": n, "temperature": 0, "cache_prompt": False}
        status, data = self.post("/v1/completions", body)
        self.expect("completion", status, {200, 429, 503}, data)
        if status == 200:
            self.check_text((prompt, n), json.loads(data)["choices"][0]["text"])

    def chat(self, dice):
        body = {"messages": [{"role": "user", "content": dice.choice(PROMPTS)}], "max_tokens": 12}
        path = dice.choice(["/v1/chat/completions", "/v1/messages", "/v1/responses"])
        body |= {"input": body["messages"], "max_output_tokens": 12}
        status, data = self.post(path, body)
        self.expect("chat", status, {200, 429, 503}, data)

    def long_prompt(self, dice):
        prompt = "The fox ran into the wood. " * 20 + str(dice.randrange(50))
        status, data = self.post("/v1/completions", {"prompt": prompt, "max_tokens": 6, "seed": 1})
        self.expect("long prompt", status, {200, 429, 503}, data)

    def embed(self, dice):
        status, data = self.post("/v1/embeddings", {"input": [dice.choice(PROMPTS), "A king."]})
        self.expect("embedding", status, {200, 429, 503}, data)

    def tokenize(self, dice):
        status, data = self.post("/tokenize", {"content": dice.choice(PROMPTS)})
        self.expect("tokenize", status, {200}, data)

    def watch(self, dice):
        connection = self.connect()
        connection.request("GET", dice.choice(["/health", "/metrics", "/slots", "/props", "/openapi.json"]))
        reply = connection.getresponse()
        self.expect("watching", reply.status, {200}, reply.read())
        connection.close()

    def open_stream(self, n_tokens):
        body = json.dumps({"prompt": "Once", "max_tokens": n_tokens, "ignore_eos": True, "stream": True}).encode()
        stream = socket.create_connection(("127.0.0.1", self.port), timeout=120)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                       % (len(body), body))  # fmt: skip
        return stream

    def quit_early(self, dice):
        with self.open_stream(200) as stream:
            for _ in range(dice.randrange(4)):
                stream.recv(dice.choice([1, 300]))
        self.count("left in the midst")

    def read_slowly(self, dice):
        with self.open_stream(30) as stream:
            data = b""
            while part := stream.recv(dice.choice([64, 700])):
                data += part
                time.sleep(0.01)
        status = int(data.split(b" ", 2)[1]) if data.startswith(b"HTTP/1.1 ") else 0
        self.expect("slow reader", status, {200, 429, 503}, data)
        if status == 200 and b"data: [DONE]" not in data:
            self.wrong(f"a slow reader's stream broke off: {data[-200:]!r}")

    def talk_nonsense(self, dice):
        path = dice.choice(["/v1/completions", "/v1/chat/completions", "/v1/messages", "/v1/responses", "/tokenize"])
        status, data = self.post(path, dice.choice(NONSENSE))
        self.expect("nonsense", status, {200, 400} if path == "/tokenize" else {400}, data)

    def break_http(self, dice):
        with socket.create_connection(("127.0.0.1", self.port), timeout=120) as stream:
            stream.sendall(dice.choice(BAD_HEADS))
            if dice.random() < 0.5:
                data = stream.recv(4096)
                if not data.startswith(b"HTTP/1.1 4"):
                    self.wrong(f"broken HTTP was answered by {data[:80]!r}")
        self.count("broken HTTP")

    def live(self, seed):
        dice = random.Random(seed)
        deeds = [(self.complete, 6), (self.chat, 3), (self.long_prompt, 2), (self.embed, 1), (self.tokenize, 1), (self.watch, 2),
                 (self.quit_early, 4), (self.read_slowly, 2), (self.talk_nonsense, 2), (self.break_http, 1)]  # fmt: skip
        while time.monotonic() < self.end:
            deed = dice.choices([deed for deed, _ in deeds], [weight for _, weight in deeds])[0]
            try:
                deed(dice)
            except ConnectionError:
                # Broken HTTP may be cut off before it is all sent; everything else is answered.
                if deed not in (self.break_http, self.quit_early):
                    self.wrong(f"{deed.__name__}: the connection was cut")
            except (OSError, ValueError, http.client.HTTPException) as error:
                self.wrong(f"{deed.__name__}: {error!r}")


def resident_bytes(process):
    with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as file:
        return 1024 * int(re.search(r"^Pss_Anon:\s+(\d+)", file.read(), re.MULTILINE).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plm", default="build/bin/plm")
    parser.add_argument("-m", dest="model", default="")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--cache", type=int, default=8, help="MiB for earlier prompts: soon full, as it would be in days")
    parser.add_argument("--growth", type=float, default=2.0, help="per cent of memory, above what it was after a third")
    parser.add_argument("flags", nargs="*", help="more for plm serve, behind --")
    arguments = parser.parse_args()
    process, port = start(arguments, "-np", arguments.slots, "-c", 512, "--metrics", "--no-log-requests", "--max-queue", 48,
                          "-cram", arguments.cache, *arguments.flags)
    soak = Soak(port, arguments.seconds)
    threads = [threading.Thread(target=soak.live, args=(seed,)) for seed in range(arguments.clients)]
    for thread in threads:
        thread.start()
    sizes = []
    while time.monotonic() < soak.end and process.poll() is None:
        time.sleep(min(2.0, arguments.seconds / 30))
        sizes.append(resident_bytes(process))
    for thread in threads:
        thread.join()
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    code = process.wait()
    if code != 0:
        soak.wrong(f"the server ended with {code}")
    for what, n in sorted(soak.counts.items()):
        print(f"{n:8} {what}")
    warm, last = max(sizes[: len(sizes) // 3 + 1]), max(sizes[-max(1, len(sizes) // 10) :])
    growth = 100 * (last / warm - 1)
    print(f"own memory: {warm / 2**20:.1f} MiB after a third, {last / 2**20:.1f} at the end: {growth:+.2f} %")
    print(f"errors that are not the client's: {len(soak.errors)}")
    for error in soak.errors[:20]:
        print("  ", error)
    raise SystemExit(1 if soak.errors or growth > arguments.growth else 0)


if __name__ == "__main__":
    main()
