"""What broke other servers, sent to `plm serve` (docs/security.md)."""

import concurrent.futures
import gzip
import os
import resource
import socket
import time

import pytest
from plm_server import Server


@pytest.fixture(scope="module")
def server(plm, tmp_path_factory):
    with Server(plm, "-np", 2, "--slot-save-path", tmp_path_factory.mktemp("slots")) as running:
        yield running
        assert running.is_alive()


def resident_mib(server):
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("there is no /proc")
    with open(f"/proc/{server.process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 2**20


def test_numbers_that_shift_a_context_change_nothing(server):
    """CVE-2026-21869: a negative n_discard wrote outside of a buffer."""
    plain = {"prompt": "Once upon a time", "max_tokens": 4, "temperature": 0}
    text = server.ok("/v1/completions", plain)["choices"][0]["text"]
    for field in ("n_discard", "n_keep", "id_slot", "n_cache_reuse", "n_indent", "t_max_predict_ms"):
        for value in (-1, -(2**31), -(2**63), 2**63, 1e300, "x", None, []):
            status, reply, _ = server.ask("/v1/completions", plain | {field: value})
            assert status == 400 or reply["choices"][0]["text"] == text, (field, value)


def test_a_bomb_that_is_packed_is_not_unpacked(server):
    bomb = gzip.compress(b'{"prompt": "' + b"a" * 50_000_000 + b'"}')
    for encoding in ("gzip", "deflate", "br"):
        assert server.ask("/v1/completions", bomb, headers={"Content-Encoding": encoding})[0] in (400, 415)


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(server):
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    for n in (16 * 2**20 + 1, 2**31, 2**32, 2**63):
        assert server.raw(head % n)[:13] in (b"HTTP/1.1 413 ", b"HTTP/1.1 400 "), n


def test_who_sends_too_much_comes_to_read_why(server):
    """A connection closed with bytes unread is reset, and the reply lost."""
    status, reply, _ = server.ask("/v1/completions", b'{"prompt": "' + b"a" * 17 * 2**20 + b'"}')
    assert status == 413 and reply["error"]["message"]


def test_a_body_of_many_small_chunks_is_read(server):
    body = b'{"content": "' + b"a" * 300_000 + b'"}'
    head = b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    reply = server.raw(head + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 200 ") and b'"count":' in reply
    after = b"\r\nGET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert server.raw(after).startswith(b"HTTP/1.1 200 "), "an empty line before a request (RFC 9112, 2.2)"


def test_large_bodies_share_one_budget(server):
    """Each is within the limit of one; all together they took the machine's memory."""
    head = b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (16 * 2**20)
    most = b'{"content": "' + b"a" * (15 * 2**20)
    before = resident_mib(server)
    held = []

    def send(_):
        held.append(connection := socket.create_connection(("127.0.0.1", server.port), timeout=120))
        try:
            connection.sendall(head + most)
        except OSError:
            pass  # sent away while it wrote

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        list(pool.map(send, range(12)))
    # Whoever came first holds what there is until they go: they send no more.
    assert resident_mib(server) - before < 2 * 64
    status, reply, headers = server.ask("/tokenize", b'{"content": "' + b"a" * 15 * 2**20 + b'"}')
    assert (status, headers["Retry-After"], reply["error"]["type"]) == (503, "2", "unavailable_error")
    assert server.ok("/tokenize", {"content": "a" * 60_000})["count"] > 0
    for connection in held:
        connection.close()
    # Read whole: it is no object.
    until(lambda: server.ask("/tokenize", b'["' + b"a" * 15 * 2**20 + b'"]')[0] == 400)


def test_a_prompt_far_beyond_the_context_is_read_as_far_as_shows_it(server):
    """Tokenizing all of it was seconds of work that anybody could ask for."""
    n_ctx = server.ok("/props")["default_generation_settings"]["n_ctx"]
    near, far = "Once upon a time. " * (n_ctx // 4), "Once upon a time. " * (4 * n_ctx)
    n_near = server.ok("/tokenize", {"content": near, "add_special": True})["count"]
    assert n_ctx < n_near <= 2 * n_ctx < server.ok("/tokenize", {"content": far})["count"]
    counted = {"model": "any", "messages": [{"role": "user", "content": far}]}
    assert server.ok("/v1/messages/count_tokens", counted)["input_tokens"] > 2 * n_ctx
    for path, body in [
        ("/v1/completions", {"prompt": far}),
        ("/v1/completions", {"prompt": ["Once", far, far]}),
        ("/completion", {"prompt": far}),
        ("/v1/embeddings", {"input": far}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": far}]}),
        ("/v1/responses", {"input": far}),
        ("/v1/messages", counted | {"max_tokens": 1}),
    ]:
        status, reply, _ = server.ask(path, body)
        error = reply["error"]
        assert (status, error["type"], error["n_ctx"]) == (400, "exceed_context_size_error", n_ctx), path
        assert error["message"].startswith(f"the prompt has more than {2 * n_ctx} tokens"), path
    error = server.ask("/v1/completions", {"prompt": near})[1]["error"]
    assert error["n_prompt_tokens"] == n_near and error["message"].startswith(f"the prompt has {n_near} tokens")


def test_a_connection_too_many_is_told_so(plm):
    with Server(plm, "-np", 1, "--max-queue", 0) as small:
        held = [socket.create_connection(("127.0.0.1", small.port)) for _ in range(1 + 64)]
        status, reply, headers = small.ask("/health")
        assert status == 503 and reply["error"]["type"] == "unavailable_error" and int(headers["Retry-After"]) > 0
        for connection in held:
            connection.close()
        until(lambda: small.ask("/health")[0] == 200)


def until(condition, seconds=60):
    """Waits for something that must come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def test_memory_of_large_requests_is_given_back(server):
    server.ok("/v1/completions", {"prompt": "Once", "max_tokens": 1})
    before = resident_mib(server)
    many = {"prompt": "a", "max_tokens": 1, "x": [[1, "a"]] * 300_000}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: server.ok("/v1/completions", many), range(8)))
    until(lambda: resident_mib(server) < before + 64)


def test_nothing_is_managed_without_the_key(plm, tmp_path):
    """CVE-2025-63389: management without authentication."""
    with Server(plm, "--api-key", "secret", "--metrics", "--slot-save-path", tmp_path) as locked:
        document = locked.ok("/openapi.json", headers={"X-Api-Key": "secret"})
        assert len(document["paths"]) > 15
        for path, operations in document["paths"].items():
            for method in operations:
                body = {} if method == "post" else None
                expected = {200} if path in ("/health", "/v1/health") else {401}
                asked = path.replace("{id}", "0") + ("?action=save" if "{id}" in path else "")
                assert locked.ask(asked, body)[0] in expected, path
        assert list(tmp_path.iterdir()) == []


def test_no_name_of_a_slot_leaves_its_folder(server):
    names = ["../x", "/etc/passwd", "a/b", "..", ".", ".hidden", "", "a\0b", "a\\b", "C:x", "x" * 129, "é", "a b", "a\n", "/dev/random"]
    for name in names:
        for action in ("save", "restore"):
            status, reply, _ = server.ask(f"/slots/0?action={action}", {"filename": name})
            assert status == 400 and "filename" in reply["error"]["message"], (action, name)


def test_a_device_is_neither_a_model_nor_a_cache(plm, tmp_path):
    """CVE-2024-39721: /dev/random as a path was read for ever."""
    for path in ("/dev/random", "/dev/zero", "/dev/null", str(tmp_path)):
        assert plm.run("serve", "--port", 0, "-m", path).returncode == 1, path
        assert plm.run("serve", "--port", 0, "--prompt-cache", path).returncode == 1, path


def test_templates_of_a_request_reach_nothing_outside(server):
    """CVE-2024-34359: a chat template ran Python. A request's text and variables are data, never a template."""
    attack = "{{ ''.__class__.__mro__[1].__subclasses__() }}{% for x in range(999999999) %}{% endfor %}"
    body = {"messages": [{"role": "user", "content": attack}], "chat_template_kwargs": {"x": attack}, "chat_template": attack}
    assert attack in server.ok("/apply-template", body)["prompt"]
