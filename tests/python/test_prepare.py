"""`plm prepare` as a user meets it: interruption by kill -9, bad input, --help."""

import gzip
import json
import signal
import subprocess
import time

import pytest


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    lines = "".join(json.dumps({"text": f"Story {i}: " + "once upon a time there was a fox. " * (i % 40)}) + "\n"
                    for i in range(6000))
    (folder / "a.jsonl").write_text(lines)
    with gzip.open(folder / "b.jsonl.gz", "wt") as packed:
        packed.write(lines.replace("fox", "hen"))
    return folder


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_goes_on_after_kill(plm, corpus, tmp_path):
    options = ["--val-size", "0.05", "--shard-mib", "1", "-t", "2", corpus]
    plm.ok("prepare", "-o", tmp_path / "whole", *options)
    expected = files(tmp_path / "whole")
    assert len(expected) > 6
    killed = tmp_path / "killed"
    for delay in (0.05, 0.15, 0.3, 0.5):
        process = subprocess.Popen([plm.path, "prepare", "-o", killed, *map(str, options)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
    counts = json.loads(plm.ok("prepare", "-o", killed, "--verify", "--json", *options))
    assert files(killed) == expected
    source = counts["sources"][0]
    documents = source["training"]["documents"] + source["validation"]["documents"]
    assert documents + source["duplicates"] == 12000


def test_names_what_is_wrong(plm, tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "one"}\n{"text": \n')
    result = plm.run("prepare", "-o", tmp_path / "out", bad)
    assert result.returncode == 1
    assert b"bad.jsonl:2: bad JSON" in result.stderr
    assert plm.ok("prepare", "-o", tmp_path / "out2", "--skip-bad", bad).count(b"1 bad documents") == 1
    assert plm.run("prepare", "-o", tmp_path / "out3").returncode == 2
    assert plm.run("prepare", bad).returncode == 2
    assert plm.run("train-tokenizer", "--vocab-size", "100", "-o", tmp_path / "t", bad, "--skip-bad").returncode == 2
    assert b"plm prepare" in plm.ok("prepare", "--help")
    assert b"plm train-tokenizer" in plm.ok("train-tokenizer", "--help")


def test_reads_the_names_of_llama_factory(plm, tmp_path):
    (tmp_path / "wiki.txt").write_text("one line\n\nanother line\n")
    (tmp_path / "dataset_info.json").write_text(json.dumps(
        {"wiki": {"file_name": "wiki.txt", "columns": {"prompt": "text"}}}))
    counts = json.loads(plm.ok("prepare", "-o", tmp_path / "out", "--json", "--dataset", "wiki", "--dataset-dir", tmp_path))
    assert counts["sources"][0]["name"] == "wiki"
    assert counts["sources"][0]["training"]["documents"] == 2
