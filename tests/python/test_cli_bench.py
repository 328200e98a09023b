"""`plm bench` as a user meets it, on the bundled model."""

import csv
import io
import json


def test_json_has_what_llama_bench_has_and_what_is_special(plm):
    rows = json.loads(plm.ok("bench", "-p", 8, "-n", 4, "-r", 2, "--json"))
    assert [(row["n_prompt"], row["n_gen"]) for row in rows] == [(8, 0), (0, 4)]
    for row in rows:
        assert row["engine"] == "plm" and len(row["samples_ts"]) == 2
        assert row["least_ts"] <= row["median_ts"] <= row["most_ts"]
        assert len(row["zero_rate_of_layer"]) == 8 and 0 < row["zero_rate"] < 1
        assert row["peak_resident_bytes"] > 10e6 and row["seconds_to_first_token"] > 0
        assert row["cache_bytes_per_token"] == 8 * (128 + 16) * 2
    assert rows[1]["bytes_per_token"] > 0 and rows[1]["share_of_bandwidth"] > 0
    assert rows[0]["bytes_per_token"] is None


def test_every_format_has_a_line_for_each_test(plm):
    flags = ("bench", "-p", 8, "-n", 2, "-r", 1, "-d", "9,0", "--batch", "1,2", "-o")
    names = ["pp8", "tg2", "tg2 x2", "pp8 @ d9", "tg2 @ d9", "tg2 @ d9 x2"]
    table = plm.ok(*flags, "md").decode().split("\n\n")[0].splitlines()
    assert [line.split("|")[7].strip() for line in table[2:]] == names
    assert len(list(csv.DictReader(io.StringIO(plm.ok(*flags, "csv").decode())))) == len(names)
    assert len([json.loads(line) for line in plm.ok(*flags, "jsonl").splitlines()]) == len(names)


def test_machine_shows_the_roofline(plm):
    machine = json.loads(plm.ok("bench", "--machine", "--json", "-t", 1))
    assert [line["n_threads"] for line in machine["threads"]] == [1]
    limits = machine["threads"][0]
    for name in ("read_bytes_per_second", "int8_operations_per_second", "fp32_operations_per_second"):
        assert 1e8 < limits[name]["least"] <= limits[name]["median"] <= limits[name]["most"]
    assert b"| threads | read GB/s |" in plm.ok("bench", "--machine", "-t", 1)


def test_results_become_a_plot(plm, tmp_path):
    direct, later, rows = tmp_path / "direct.svg", tmp_path / "later.svg", tmp_path / "rows.jsonl"
    flags = ("bench", "-p", 0, "-n", 2, "-r", 1, "-d", "0,100", "-o", "jsonl")
    rows.write_bytes(plm.ok(*flags, "--plot", direct))
    drawn = plm.run("bench", "--from", rows, "--plot", later)
    assert drawn.returncode == 0 and b"for each 1,000 tokens" in drawn.stderr
    assert later.read_text() == direct.read_text() and later.read_text().startswith("<svg")
    before = later.read_bytes()
    assert plm.run("bench", "--from", rows, "--plot", later).returncode == 1 and later.read_bytes() == before
    nothing_varies = plm.run("bench", "--from", rows, "--plot", tmp_path / "x.svg", "--plot-x", "batch")
    assert nothing_varies.returncode == 1 and b"differ" in nothing_varies.stderr
    assert not (tmp_path / "x.svg").exists()


def test_zeros_are_those_of_the_text_that_is_read(plm, tmp_path):
    text = tmp_path / "text"
    text.write_text("Once upon a time there was a little dog who lived near the river. " * 40)
    flags = ("bench", "-p", 200, "-n", 0, "-r", 1, "--json")
    (spread,), (english,) = json.loads(plm.ok(*flags)), json.loads(plm.ok(*flags, "-f", text))
    assert 0.5 < english["zero_rate"] < 1 and english["zero_rate_of_layer"] != spread["zero_rate_of_layer"]
    text.write_text("")
    empty = plm.run(*flags, "-f", text)
    assert empty.returncode == 1 and b"no text" in empty.stderr.splitlines()[-1]


def test_wrong_command_lines_are_refused(plm, tmp_path):
    for wrong in (
        ("-p", 0, "-n", 0),
        ("-p", "x"),
        ("-d", "5-1"),
        ("--batch", 0),
        ("--batch", 100000),
        ("-o", "xml"),
        ("-pg", "5"),
        ("--machine", "-o", "csv"),
        ("--from", tmp_path / "rows"),
        ("--plot-x", "mood"),
        ("--against", "gpt"),
        ("--against", "llama.cpp", "-f", tmp_path / "text"),
    ):
        result = plm.run("bench", *wrong)
        assert result.returncode == 2 and len(result.stderr.splitlines()) == 1, wrong


def test_a_peer_that_is_not_there_is_one_line(plm):
    import os

    environment = dict(os.environ, PLM_PEER_PYTHON="/nonexistent/python")
    result = plm.run("bench", "-p", 4, "-n", 0, "-r", 1, "--against", "llama.cpp", env=environment)
    assert result.returncode == 1 and b"PLM_PEER_PYTHON" in result.stderr.splitlines()[-1]
