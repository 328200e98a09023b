"""`plm pull` and `-hf` against an imitation of the hub (fake_hub.py) with all its faults."""

import json
import os
import subprocess
import sys
import time

import pytest
from fake_hub import TOKEN, FakeHub

REPOSITORY = "someone/model-GGUF"
WEIGHTS = os.urandom(200_000)


@pytest.fixture
def hub():
    fake = FakeHub()
    yield fake
    fake.close()


class Puller:
    """plm with an environment of its own: a fresh cache, the fake hub, no proxy."""

    def __init__(self, plm, hub, folder):
        self.plm, self.cache = plm, folder / "hub"
        self.environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and "HF_" not in k}
        self.environment |= {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(folder), "HF_HUB_DOWNLOAD_TIMEOUT": "1"}

    def run(self, *arguments, **variables):
        return self.plm.run(*arguments, env=self.environment | variables, timeout=60)

    def pull(self, *arguments, **variables):
        return self.run("pull", *arguments, **variables)

    def ok(self, *arguments, **variables):
        result = self.pull(*arguments, **variables)
        assert result.returncode == 0, result.stderr.decode()
        return result.stdout.decode().strip()

    def error(self, *arguments, **variables):
        """The one line of a pull that must fail with exit code 1."""
        result = self.pull(*arguments, **variables)
        assert result.returncode == 1 and result.stdout == b"", result
        return result.stderr.decode().strip().split("\n")[-1]

    def incomplete(self):
        return list(self.cache.glob("models--*/blobs/*.incomplete"))


@pytest.fixture
def puller(plm, hub, tmp_path):
    return Puller(plm, hub, tmp_path)


@pytest.fixture
def weights(hub):
    return hub.add(REPOSITORY, {"README.md": b"# A model\n", "model-Q4_K_M.gguf": WEIGHTS, "model-Q8_0.gguf": b"q8"})


def read(path):
    with open(path, "rb") as file:
        return file.read()


def test_the_cache_is_laid_out_as_huggingface_hub_does(hub, puller, weights):
    path = puller.ok(REPOSITORY)
    root = puller.cache / "models--someone--model-GGUF"
    etag = weights.etag("model-Q4_K_M.gguf")
    assert path == str(root / "snapshots" / weights.commit / "model-Q4_K_M.gguf")
    assert os.readlink(path) == f"../../blobs/{etag}" and read(path) == WEIGHTS
    assert (root / "refs" / "main").read_text() == weights.commit
    assert [p.name for p in (root / "blobs").iterdir()] == [etag]
    n = len(hub.asked("GET", "storage"))
    assert puller.ok(REPOSITORY) == path and len(hub.asked("GET", "storage")) == n, "fetched once"


def test_huggingface_hub_finds_what_plm_pulled_and_the_other_way_round(hub, puller, weights):
    pytest.importorskip("huggingface_hub")
    script = (
        "import sys; from huggingface_hub import hf_hub_download\n"
        "print(hf_hub_download(sys.argv[1], sys.argv[2], local_files_only=len(sys.argv) > 3))"
    )

    def python(*arguments):
        command = [sys.executable, "-c", script, REPOSITORY, *arguments]
        environment = puller.environment | {"HF_HUB_DISABLE_XET": "1"}
        return subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout.strip()

    pulled = puller.ok(REPOSITORY)
    assert python("model-Q4_K_M.gguf", "offline") == pulled
    fetched = python("model-Q8_0.gguf")
    hub.requests.clear()
    assert puller.ok(REPOSITORY + ":Q8_0", "--offline") == fetched and not hub.requests
    report = json.loads(puller.ok(REPOSITORY + ":Q8_0", "--json"))
    assert [f["was_cached"] for f in report["files"]] == [True] and not hub.asked("GET", "storage")


def test_small_files_are_known_by_their_git_hash(hub, puller, weights):
    folder = puller.ok(REPOSITORY, "--include", "*.md")
    assert read(f"{folder}/README.md") == b"# A model\n"
    hub.faults["README.md"] = ["wrong bytes"]
    (puller.cache / "models--someone--model-GGUF" / "blobs" / weights.etag("README.md")).unlink()
    assert "README.md: hash: found" in puller.error(REPOSITORY, "--include", "README*")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("", "a-Q4_K_M.gguf"),
        (":q8_0", "b.q8_0.gguf"),
        (":F16", "F16/a-00001-of-00002.gguf"),
        (":Q4_K", None),
        (":Q5_K_M", None),
    ],
)
def test_the_quantisation_is_chosen_as_in_llama_cpp(hub, puller, wanted, expected):
    names = ["mmproj-Q4_K_M.gguf", "a-Q4_K_M.gguf", "a-Q4_K_M.imatrix.gguf", "b.q8_0.gguf", "a-IQ2_M.gguf"]
    names += ["F16/a-00001-of-00002.gguf", "F16/a-00002-of-00002.gguf", "config.json"]
    hub.add(REPOSITORY, {name: name.encode() for name in names})
    if expected is None:
        line = puller.error(REPOSITORY + wanted)
        assert f"no model of type {wanted[1:]}; there are:" in line and "a-Q4_K_M.gguf" in line
        return
    path = puller.ok(REPOSITORY + wanted)
    assert path.endswith("/" + expected)
    if "00001" in expected:
        assert read(path.replace("00001-of", "00002-of")) == b"F16/a-00002-of-00002.gguf"


def test_without_q4_the_first_model_is_taken_and_without_models_none(hub, puller):
    hub.add(REPOSITORY, {"b-Q6_K.gguf": b"b", "a-BF16.gguf": b"a"})
    assert puller.ok(REPOSITORY).endswith("a-BF16.gguf")
    hub.add("someone/none", {"config.json": b"{}"})
    assert "no GGUF model among 1 files" in puller.error("someone/none")


def test_a_missing_shard_is_named(hub, puller):
    hub.add(REPOSITORY, {"a-00001-of-00002.gguf": b"1"})
    assert "a-00002-of-00002.gguf" in puller.error(REPOSITORY) and not hub.asked("GET", "storage")


def test_one_file_and_whole_folders(hub, puller, weights):
    assert puller.ok(REPOSITORY, "--file", "model-Q8_0.gguf").endswith("model-Q8_0.gguf")
    folder = puller.ok(REPOSITORY, "--include", "*.md", "--include", "*Q8*")
    assert sorted(os.listdir(folder)) == ["README.md", "model-Q8_0.gguf"]
    assert "no file other.gguf" in puller.error(REPOSITORY, "--file", "other.gguf")
    assert "matches *.bin" in puller.error(REPOSITORY, "--include", "*.bin")


def test_the_token_goes_to_the_hub_and_nowhere_else(hub, puller, weights):
    weights.is_private = True
    line = puller.error(REPOSITORY)
    assert "access refused (401): Invalid username or password." in line and "HF_TOKEN" in line
    assert "is the token right" in puller.error(REPOSITORY, HF_TOKEN="hf_wrong")
    assert "hf_wrong" not in line
    for flag in ((), ("-hft", TOKEN)):
        hub.requests.clear()
        puller.ok(REPOSITORY + ":Q8_0", *flag, **({} if flag else {"HF_TOKEN": TOKEN}))
    hub.requests.clear()
    path = puller.cache.parent / "token"
    path.write_text(TOKEN + "\n")
    puller.ok(REPOSITORY)
    assert hub.asked(server="hub") and hub.asked(server="storage")
    assert all(r.headers.get("Authorization") == f"Bearer {TOKEN}" for r in hub.asked(server="hub"))
    assert not any("Authorization" in r.headers for r in hub.asked(server="storage"))


def test_the_token_stays_behind_on_the_same_host_at_another_port(hub, puller, weights):
    hub.storage_host = "127.0.0.1"
    puller.ok(REPOSITORY, HF_TOKEN=TOKEN)
    assert not any("Authorization" in r.headers for r in hub.asked(server="storage"))


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x", "http://"])
def test_a_redirect_leads_to_http_only(hub, puller, weights, target):
    hub.faults["model-Q4_K_M.gguf"] = [("redirect", target)]
    assert "redirects to what is no URL of http" in puller.error(REPOSITORY)


def test_redirects_end(hub, puller, weights):
    loop = f"http://127.0.0.1:{hub.storage.server_port}/signed/{REPOSITORY}/model-Q4_K_M.gguf"
    hub.faults["model-Q4_K_M.gguf"] = [("redirect", loop)] * 50
    assert "more than 10 redirects" in puller.error(REPOSITORY)


def test_what_breaks_off_is_continued(hub, puller, weights):
    hub.faults["model-Q4_K_M.gguf"] = [("cut", 70_000), ("cut", 50_000)]
    result = puller.pull(REPOSITORY)
    assert result.returncode == 0 and b"trying again" in result.stderr
    assert read(result.stdout.decode().strip()) == WEIGHTS
    ranges = [r.headers.get("Range") for r in hub.asked("GET", "storage")]
    assert ranges == [None, "bytes=70000-", "bytes=120000-"]


def test_what_a_run_left_the_next_continues(hub, puller, weights):
    hub.faults["model-Q4_K_M.gguf"] = [("cut", 70_000)]
    assert "bytes" in puller.error(REPOSITORY, "--retries", 0)
    assert [p.stat().st_size for p in puller.incomplete()] == [70_000]
    assert read(puller.ok(REPOSITORY)) == WEIGHTS
    assert hub.asked("GET", "storage")[-1].headers["Range"] == "bytes=70000-"
    assert not puller.incomplete()


def test_a_server_without_ranges_begins_anew(hub, puller, weights):
    hub.ranges = False
    hub.faults["model-Q4_K_M.gguf"] = [("cut", 70_000)]
    assert read(puller.ok(REPOSITORY)) == WEIGHTS


def test_a_spoiled_rest_is_fetched_anew(hub, puller, weights):
    hub.faults["model-Q4_K_M.gguf"] = [("cut", 70_000)]
    puller.error(REPOSITORY, "--retries", 0)
    puller.incomplete()[0].write_bytes(b"x" * 70_000)
    assert read(puller.ok(REPOSITORY)) == WEIGHTS
    puller.cache.joinpath("models--someone--model-GGUF/blobs", weights.etag("model-Q4_K_M.gguf")).unlink()
    blob = puller.cache / "models--someone--model-GGUF" / "blobs" / weights.etag("model-Q4_K_M.gguf")
    blob.with_name(blob.name + ".incomplete").write_bytes(b"x" * 300_000)
    assert read(puller.ok(REPOSITORY)) == WEIGHTS


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("wrong bytes", "hash: found"),
        ("wrong length", "length: found 200004 bytes, expected 200000"),
    ],
)
def test_wrong_bytes_never_get_the_name(hub, puller, weights, fault, message):
    hub.faults["model-Q4_K_M.gguf"] = [fault] * 9
    assert message in puller.error(REPOSITORY)
    assert not puller.incomplete() and not list(puller.cache.glob("models--*/snapshots/*/*"))
    hub.faults.clear()
    assert read(puller.ok(REPOSITORY)) == WEIGHTS


def test_a_wrong_range_is_refused(hub, puller, weights):
    hub.faults["model-Q4_K_M.gguf"] = [("cut", 70_000), "wrong range"]
    assert 'the server sends "bytes 0-' in puller.error(REPOSITORY)


def test_a_busy_server_is_asked_again_when_it_says(hub, puller, weights):
    hub.faults["model-Q4_K_M.gguf"] = [("retry-after", 1), ("status", 503)]
    hub.hub_faults = [500]
    began = time.monotonic()
    result = puller.pull(REPOSITORY)
    assert result.returncode == 0 and 2 <= time.monotonic() - began
    assert b"answers 429; trying again in 1.0 s" in result.stderr and b"answers 503" in result.stderr
    hub.faults["model-Q8_0.gguf"] = [("retry-after", 100000)]
    assert "asks to wait 100000 s" in puller.error(REPOSITORY + ":Q8_0")
    hub.faults["model-Q8_0.gguf"] = [("status", 500)] * 9
    assert puller.error(REPOSITORY + ":Q8_0", "--retries", 1).endswith("the server answers 500, after 2 tries")


def test_slow_is_waited_for_and_stalled_is_not(hub, puller, weights):
    hub.faults["model-Q4_K_M.gguf"] = [("slow", 20_000)]
    assert read(puller.ok(REPOSITORY, "--retries", 0)) == WEIGHTS
    hub.faults["model-Q8_0.gguf"] = [("stall", 1)]  # the server would wait a minute
    assert "Operation too slow" in puller.error(REPOSITORY + ":Q8_0", "--retries", 0)


def test_files_and_revisions_that_do_not_exist(hub, puller, weights):
    assert "revision v9 (404): Invalid rev id" in puller.error(REPOSITORY, "--revision", "v9")
    assert puller.ok(REPOSITORY, "--revision", "refs/pr/1")
    assert (puller.cache / "models--someone--model-GGUF" / "refs" / "refs" / "pr" / "1").exists()
    assert puller.ok(REPOSITORY, "--revision", weights.commit)
    assert "access refused (401)" in puller.error("nobody/nothing")


@pytest.mark.parametrize(
    "name", ["../../../evil.gguf", "/tmp/evil.gguf", "a/../../b.gguf", "a//b.gguf", "a\\..\\b.gguf", "a\x1b[2J.gguf", "."]
)
def test_names_that_lead_elsewhere_are_refused(hub, puller, weights, name):
    hub.listed = [name]
    line = puller.error(REPOSITORY)
    assert "expected a relative path without" in line and "\x1b" not in line
    assert not puller.cache.exists()


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b"{", b'{"sha":"main","siblings":[]}', b'{"sha":1}', b"[" * 100_000, b"\xff\xfe"]
)
def test_answers_that_are_none_of_a_hub(hub, puller, weights, answer):
    hub.hub_faults = [answer]
    assert "the hub's list of files" in puller.error(REPOSITORY)


@pytest.mark.parametrize(
    "wrong",
    [("model",), ("../x/y",), ("a/b/c",), ("a/b:",), ("a/..",), ("a/b", "--revision", "../x"), ("a/b:Q8_0", "--file", "x")],
)
def test_a_wrong_command_line(puller, wrong):
    assert puller.pull(*wrong).returncode == 2


def test_a_wrong_environment(puller):
    assert puller.pull("a/b", HF_ENDPOINT="hub.example").returncode == 2
    assert puller.pull("a/b", HF_TOKEN="two\r\nlines").returncode == 2
    assert puller.pull("a/b", HF_HUB_DOWNLOAD_TIMEOUT="soon").returncode == 2


def test_offline_and_an_unreachable_hub_serve_from_the_cache(hub, puller, weights):
    assert "is not in the cache" in puller.error(REPOSITORY, HF_HUB_OFFLINE="1")
    path = puller.ok(REPOSITORY)
    hub.requests.clear()
    assert puller.ok(REPOSITORY, "--offline") == path and not hub.requests
    assert "no model of type Q8_0" in puller.error(REPOSITORY + ":Q8_0", "--offline")
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    result = puller.pull(REPOSITORY, **nowhere)
    assert result.stdout.decode().strip() == path and b"going on with what is in the cache" in result.stderr
    assert "127.0.0.1" in puller.error("someone/other", "--retries", 0, **nowhere)


def test_two_at_once_fetch_once(hub, puller, weights):
    hub.faults["model-Q4_K_M.gguf"] = [("hold", 20_000)]
    command = [str(puller.plm.path), "pull", REPOSITORY]

    environment = puller.environment | {"HF_HUB_DOWNLOAD_TIMEOUT": "60"}  # what is held back is no fault here

    def start():
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    with start() as first:
        while not (puller.incomplete() and puller.incomplete()[0].stat().st_size):
            assert first.poll() is None
            time.sleep(0.01)
        with start() as second:
            assert any(b"another process is fetching it" in line for line in second.stderr)
            hub.released.set()
            paths = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert first.returncode == second.returncode == 0 and paths[0] == paths[1] != b""
    assert len(hub.asked("GET", "storage")) == 1


def test_an_interrupt_leaves_what_has_come(hub, puller, weights):
    hub.faults["model-Q4_K_M.gguf"] = [("slow", 5_000)]
    command = [str(puller.plm.path), "pull", REPOSITORY]
    process = subprocess.Popen(command, env=puller.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not (puller.incomplete() and puller.incomplete()[0].stat().st_size):
        time.sleep(0.01)
    process.send_signal(2)
    assert process.wait(60) == 130 and process.stdout.read() == b""
    process.stdout.close(), process.stderr.close()
    assert puller.incomplete() and read(puller.ok(REPOSITORY)) == WEIGHTS


def test_a_model_of_the_hub_runs(hub, puller, plm, bundled_model):
    hub.add(REPOSITORY, {"story-F16.gguf": read(bundled_model), "other-Q4_0.gguf": b"no model"})
    arguments = ("-p", "Once upon a time", "-n", 8, "--temp", 0)
    expected = plm.ok("run", *arguments)
    for way in (("-hf", REPOSITORY + ":F16"), ("-hf", REPOSITORY, "-hff", "story-F16.gguf", "--offline")):
        result = puller.run("run", *way, *arguments)
        assert result.returncode == 0 and result.stdout == expected, result.stderr
    assert puller.run("inspect", "-hf", REPOSITORY + ":F16", "--no-tensors").returncode == 0
    assert puller.run("run", "-hf", REPOSITORY, "-m", bundled_model, *arguments).returncode == 2
    assert puller.run("run", "-hff", "x.gguf", *arguments).returncode == 2
    assert puller.run("run", "-hf", REPOSITORY, *arguments).returncode == 1, "Q4_0 is no model"
