"""Slots saved to files by `plm serve --slot-save-path`, and restored: by the same model and build alone."""

import os
import struct
import time

import pytest
from plm_server import Server

TEXT = "The fox ran into the wood and met a bear. " * 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("slots")


@pytest.fixture(scope="module")
def server(plm, folder):
    with Server(plm, "-np", 2, "--slot-save-path", folder) as running:
        yield running
        assert running.is_alive()


def complete(server, **more):
    return server.ok("/v1/completions", {"prompt": TEXT, "max_tokens": 8, "temperature": 0} | more)


def cached(reply):
    return reply["usage"]["prompt_tokens_details"]["cached_tokens"]


def slot_that_holds(server):
    return max(server.ok("/slots"), key=lambda slot: slot["n_tokens"])["id"]


def test_a_slot_outlives_the_server(plm, server, folder):
    first = complete(server)
    saved = server.ok(f"/slots/{slot_that_holds(server)}?action=save", {"filename": "fox.bin"})
    assert saved["n_saved"] == first["usage"]["total_tokens"] - 1, "the last token was not run"
    assert saved["n_written"] == (folder / "fox.bin").stat().st_size and saved["timings"]["save_ms"] >= 0
    for threads, reads in (("1", {}), ("2", {"seed": 3})):
        with Server(plm, "-np", 2, "--slot-save-path", folder, "-t", threads) as other:
            restored = other.ok("/slots/1?action=restore", {"filename": "fox.bin"})
            assert (restored["n_restored"], restored["n_read"]) == (saved["n_saved"], saved["n_written"])
            again = complete(other, **reads)
            n = first["usage"]["prompt_tokens"]
            assert cached(again) == (n - 1 if not reads else n // 64 * 64), "the rows are used"
            assert again["choices"][0]["text"] == first["choices"][0]["text"]


def test_restored_rows_serve_other_slots_too(plm, folder, server):
    complete(server)
    server.ok(f"/slots/{slot_that_holds(server)}?action=save", {"filename": "shared.bin"})
    with Server(plm, "-np", 2, "--slot-save-path", folder) as other:
        other.ok("/slots/0?action=restore", {"filename": "shared.bin"})
        assert other.ok("/slots/0?action=erase", {})["n_erased"] > 0
        assert other.ok("/slots")[0]["n_tokens"] == 0
        assert cached(complete(other)) > 64


def test_a_damaged_file_is_refused_and_nothing_changes(server, folder):
    complete(server)
    slot = slot_that_holds(server)
    server.ok(f"/slots/{slot}?action=save", {"filename": "whole.bin"})
    whole = (folder / "whole.bin").read_bytes()
    before = server.ok("/slots")

    def patched(at, value):
        return whole[:at] + value + whole[at + len(value) :]

    damaged = {
        "empty": b"",
        "head": whole[:39],
        "short": whole[:-1],
        "half": whole[: len(whole) // 2],
        "long": whole + b"\0",
        "magic": patched(0, b"GGUF"),
        "identity": patched(8, b"\xff" * 8),
        "many": patched(16, struct.pack("<Q", 2**63)),
        "some": patched(16, struct.pack("<Q", 100)),
        "exact": patched(24, struct.pack("<Q", 2**64 - 1)),
        "width": patched(32, struct.pack("<Q", 2**60)),
        "token": patched(40, struct.pack("<i", -1)),
        "row": patched(len(whole) // 2, bytes([whole[len(whole) // 2] ^ 1])),
        "sum": patched(len(whole) - 1, bytes([whole[-1] ^ 1])),
        "text": b"not a slot, but long enough to be one, perhaps",
    }
    for name, data in damaged.items():
        (folder / name).write_bytes(data)
        status, reply, _ = server.ask("/slots/0?action=restore", {"filename": name})
        assert status == 400 and reply["error"]["message"].startswith(name + ": "), (name, reply)
        assert str(folder) not in reply["error"]["message"]
    assert server.ok("/slots") == before
    assert cached(complete(server)) > 64, "what the slot held is still of use"


def test_another_models_slot_is_refused(plm, server, folder, tmp_path, bundled_model):
    complete(server)
    server.ok(f"/slots/{slot_that_holds(server)}?action=save", {"filename": "story.bin"})
    other_file = tmp_path / "other.gguf"
    plm.ok("quantize", bundled_model, other_file, "Q8_0")
    with Server(plm, "-m", other_file, "--slot-save-path", folder) as other:
        status, reply, _ = other.ask("/slots/0?action=restore", {"filename": "story.bin"})
        assert status == 400 and "another model" in reply["error"]["message"]
    with Server(plm, "-ctk", "q8_0", "--slot-save-path", folder) as other:
        status, reply, _ = other.ask("/slots/0?action=restore", {"filename": "story.bin"})
        assert status == 400


def test_names_and_ids_from_strangers(server, folder, plm):
    outside = folder.parent / "outside.bin"
    for name in ("../outside.bin", "/etc/passwd", "a/b", ".hidden", "..", "", "a\0b", "ä", "x" * 129, "con:", " a", 5, None):
        for action in ("save", "restore"):
            status, reply, _ = server.ask(f"/slots/0?action={action}", {"filename": name})
            assert status == 400 and "filename" in reply["error"]["message"], (name, action)
    assert not outside.exists()
    assert server.ask("/slots/0?action=restore", {"filename": "absent"})[0] == 404
    for path in ("/slots/9?action=erase", "/slots/-1?action=erase", "/slots/x?action=erase", "/slots/0?action=melt", "/slots/0",
                 "/slots/99999999999999999999?action=erase"):  # fmt: skip
        assert server.ask(path, {"filename": "a"})[0] == 400, path
    assert server.ask("/slots/", {})[0] == 404 and server.ask("/slots/0/1", {})[0] == 404
    assert server.ask("/slots/0?action=erase")[0] == 405
    with Server(plm) as without:
        assert without.ask("/slots/0?action=save", {"filename": "a"})[0] == 501
    assert not [name for name in os.listdir(folder) if name.endswith(".part")]


# The store of earlier prompts in a file


def said(server):
    return [line for line in server.log if "--prompt-cache" in line]


@pytest.fixture(scope="module")
def kept(plm, tmp_path_factory):
    """A store on disk, and what was answered before it was written."""
    path = tmp_path_factory.mktemp("prompts") / "prompts.bin"
    with Server(plm, "--prompt-cache", path) as server:
        assert said(server) == [] and not path.exists()
        reply = complete(server)
    assert len(said(server)) == 1 and f"to {path}" in said(server)[0]
    assert list(path.parent.iterdir()) == [path]
    return path, reply


def test_earlier_prompts_outlive_the_server(plm, kept, tmp_path):
    whole, reply = kept
    path = tmp_path / "prompts.bin"
    path.write_bytes(whole.read_bytes())
    n = reply["usage"]["prompt_tokens"]
    for threads, seed, n_cached in ((1, {}, n - 1), (2, {"seed": 3}, n // 64 * 64)):
        with Server(plm, "--prompt-cache", path, "-t", threads) as server:
            assert f"from {path}" in said(server)[0]
            again = complete(server, **seed)
            assert cached(again) == n_cached
            assert again["choices"][0]["text"] == reply["choices"][0]["text"]
    # What was not changed is not written; what is only read neither.
    before = path.stat().st_mtime_ns
    with Server(plm, "--prompt-cache", path) as server:
        pass
    with Server(plm, "--prompt-cache", path, "--prompt-cache-ro") as server:
        server.ok("/v1/completions", {"prompt": "A king", "max_tokens": 2})
    assert path.stat().st_mtime_ns == before and len(said(server)) == 1


def test_a_smaller_store_takes_what_was_of_use_last(plm, kept):
    path, reply = kept
    with Server(plm, "--prompt-cache", path, "--prompt-cache-ro", "-cram", 0) as server:
        assert "0 MiB" in said(server)[0] and cached(complete(server)) == 0


def test_a_damaged_store_is_refused_and_the_server_begins_without(plm, kept, tmp_path):
    whole = kept[0].read_bytes()
    path = tmp_path / "prompts.bin"
    middle, last = len(whole) // 2, len(whole) - 1
    flipped = {at: whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in (9, 17, 25, 33, 41, 45, 60, middle, last)}
    for name, data in {"half": whole[:middle], "short": whole[:-1], "long": whole + b"\0", **flipped}.items():
        path.write_bytes(data)
        with Server(plm, "--prompt-cache", path) as server:
            assert f"{path}: its checksum" in said(server)[0] and "beginning without, and it will be written over" in said(server)[0], name
            assert server.is_alive()
            if name == "half":
                assert cached(complete(server)) == 0
    with Server(plm, "--prompt-cache", path) as server:  # nothing was asked since: it is still what it was
        assert "beginning without" in said(server)[0]
        complete(server)
    with Server(plm, "--prompt-cache", path) as server:
        assert "from" in said(server)[0] and cached(complete(server)) > 64


def test_another_models_store_is_refused(plm, kept, tmp_path, bundled_model):
    path, _ = kept
    other_file = tmp_path / "other.gguf"
    plm.ok("quantize", bundled_model, other_file, "Q8_0")
    for flags in (("-m", other_file), ("-ctk", "q8_0")):
        with Server(plm, *flags, "--prompt-cache", path, "--prompt-cache-ro") as server:
            assert "another model" in said(server)[0] and cached(complete(server)) == 0


def test_a_file_of_something_else_is_never_written_over(plm, tmp_path):
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear grandmother")
    done = plm.run("serve", "--port", 0, "--prompt-cache", letter)
    assert done.returncode == 1 and b"letter.txt" in done.stderr
    assert letter.read_text() == "Dear grandmother"
    # Nor one that comes while the server runs.
    late = tmp_path / "late.txt"
    with Server(plm, "--prompt-cache", late) as server:
        complete(server)
        late.write_text("Dear grandfather")
    assert late.read_text() == "Dear grandfather" and "another would be lost" in said(server)[0]


def test_where_no_store_can_be_kept_the_server_does_not_start(plm, tmp_path):
    absent = tmp_path / "absent"
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear grandmother")
    for flags, code, expected in (
        ((absent / "prompts.bin",), 1, "cannot create: No such file"),
        ((tmp_path,), 1, "expected a file that plm wrote"),
        ((absent, "--prompt-cache-ro"), 1, "cannot open: No such file"),
        ((letter, "--prompt-cache-ro"), 1, "expected a file that plm wrote"),
        ((absent, "-cram", 0), 2, "with -cram 0"),
        (("",), 2, "--prompt-cache: found nothing"),
    ):
        done = plm.run("serve", "--port", 0, "--prompt-cache", *flags)
        assert done.returncode == code and done.stderr.count(b"\n") == 1, (flags, done)
        assert expected in done.stderr.decode(), (flags, done)
    for flags in (("--prompt-cache-ro",), ("--prompt-cache-interval", 5)):
        done = plm.run("serve", "--port", 0, *flags)
        assert done.returncode == 2 and b"needs --prompt-cache FILE" in done.stderr
    assert list(tmp_path.iterdir()) == [letter]


def test_a_server_that_is_killed_leaves_the_store_whole(plm, kept, tmp_path):
    path = tmp_path / "prompts.bin"
    path.write_bytes(kept[0].read_bytes())
    for round_ in range(4):
        with Server(plm, "--prompt-cache", path, "--prompt-cache-interval", 1) as server:
            assert "from" in said(server)[0], "never a part of one"
            assert cached(complete(server)) > 64
            server.ok("/v1/completions", {"prompt": f"{round_} " * 100, "max_tokens": 1})
            if round_ % 2:
                server.process.terminate()  # it writes, or has not begun, or is done
            server.process.kill()
            server.process.wait()
    with Server(plm, "--prompt-cache", path, "--prompt-cache-interval", 1) as server:
        complete(server, prompt="A new story. " * 20)
        while not any(" to " in line for line in said(server)):
            assert server.is_alive()
            time.sleep(0.05)
        server.process.kill()
        server.process.wait()
    with Server(plm, "--prompt-cache", path) as server:
        assert cached(complete(server, prompt="A new story. " * 20)) > 64
