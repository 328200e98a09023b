"""`plm run`, and the errors that all commands share, as a user meets them."""

import json
import os
import re
import signal
import subprocess

import jsonschema
import pytest

GREEDY = ("--temp", "0")


def fails(plm, *arguments, code=1, **options):
    """The one line on stderr of a run that must fail with nothing on stdout."""
    result = plm.run(*arguments, **options)
    text = result.stderr.decode()
    assert result.returncode == code, (result.returncode, text)
    assert result.stdout == b""
    assert text.startswith("plm: ") and text.count("\n") == 1, text
    return text


def test_the_continuation_alone_goes_to_stdout(plm):
    result = plm.run("run", "-p", "Once upon a time", "-n", 20, *GREEDY)
    assert result.returncode == 0
    assert b"Once upon" not in result.stdout and len(result.stdout) > 20
    assert b"tok/s" in result.stderr
    assert plm.run("run", "-p", "Once upon a time", "-n", 20, *GREEDY, "--no-perf").stderr == b""


def test_equal_seeds_write_equal_texts(plm):
    def text(seed, *flags):
        return plm.ok("run", "-p", "The fox", "-n", 30, "-s", seed, *flags)

    assert text(5) == text(5)
    assert text(5) != text(6)
    assert text(5) == text(5, "-t", 1), "the number of threads does not matter"


def test_every_sampler_can_be_set_with_llama_cpps_names(plm):
    flags = (
        "--temp 1.1 --top-k 50 --top-p 0.9 --min-p 0.01 --typical 0.9 --top-n-sigma 2 --xtc-probability 0.5 "
        "--xtc-threshold 0.05 --repeat-last-n 32 --repeat-penalty 1.1 --presence-penalty 0.1 "
        "--frequency-penalty 0.1 --dry-multiplier 0.8 --dry-base 1.5 --dry-allowed-length 3 "
        "--dry-penalty-last-n 100 --dry-sequence-breaker x -l 5+1 -l 6-inf --ignore-eos "
        "--samplers top_k;temperature"
    ).split()
    assert plm.ok("run", "-p", "The fox", "-n", 30, "-s", 1, *flags)
    assert plm.ok("run", "-p", "The fox", "-n", 30, "-s", 1, "--mirostat", 2, "--mirostat-lr", 0.2, "--mirostat-ent", 4)
    assert plm.ok("run", "-p", "The fox", "-n", 5, "-s", 1, "--sampler-seq", "kpt")
    banned = plm.ok("run", "-p", "The fox", "-n", 1, *GREEDY)
    token = plm.ok("tokenize", "--text", banned.decode()).split()[0].decode()
    assert plm.ok("run", "-p", "The fox", "-n", 1, *GREEDY, "-l", token + "-inf") != banned


@pytest.mark.parametrize("prompt", ["😀 👩‍👩‍👧 emoji", "从前有一只狐狸", "-n 5 --help", "\n\n", "مرحبا", "<|im_start|>"])
def test_any_prompt_is_continued(plm, prompt):
    assert plm.run("run", "-p", prompt, "-n", 5).returncode == 0


def test_a_prompt_of_any_bytes_comes_from_a_file_or_standard_input(plm, tmp_path):
    path = tmp_path / "prompt"
    path.write_bytes(b"one\0two\xff\xfe three\r\n")
    from_file = plm.ok("run", "-f", path, "-n", 10, *GREEDY)
    assert from_file == plm.ok("run", "-f", "-", "-n", 10, *GREEDY, input=path.read_bytes())
    assert from_file != plm.ok("run", "-p", "one", "-n", 10, *GREEDY)


def test_an_empty_prompt_begins_with_the_models_first_token_and_says_so(plm):
    result = plm.run("run", "-p", "", "-n", 5)
    assert result.returncode == 0 and b"<|endoftext|>" in result.stderr


def test_a_prompt_of_100_kb_is_refused_or_cut(plm, tmp_path):
    path = tmp_path / "long"
    path.write_text("The fox ran. " * 8000)
    assert "the context room for 256" in fails(plm, "run", "-f", path)
    result = plm.run("run", "-f", path, "-n", 5, "--context-shift")
    assert result.returncode == 0 and b"leaving out" in result.stderr


def test_a_full_context_ends_the_text_or_is_shifted(plm):
    full = plm.run("run", "-p", "The fox", "-s", 1, "-c", 32, "--ignore-eos")
    assert full.returncode == 0 and b"the context is full (32 tokens)" in full.stderr
    assert plm.run("run", "-p", "The fox", "-n", 200, "-c", 32, "--ignore-eos", "--context-shift").returncode == 0
    kept = plm.run("run", "-p", "The fox", "-n", 100, "-c", 32, "--ignore-eos", "--context-shift", "--keep", -1)
    assert kept.returncode == 0


def test_a_stop_text_ends_the_text_before_it(plm):
    text = plm.ok("run", "-p", "Once upon a time", "-n", 60, *GREEDY).decode()
    stop = text[20:26]
    assert plm.ok("run", "-p", "Once upon a time", "-n", 60, *GREEDY, "-r", stop).decode() == text[: text.index(stop)]


def test_escapes_are_read_when_asked(plm):
    plain = plm.ok("run", "-p", "a\nb", "-n", 8, *GREEDY)
    assert plm.ok("run", "-e", "-p", r"a\nb", "-n", 8, *GREEDY) == plain


def test_a_closed_pipe_ends_quietly(plm):
    command = f"'{plm.path}' run -p 'The fox' -n 200 -c 1000 --ignore-eos | head -c 5; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=False)
    assert result.stdout[5:] == b"0\n"
    assert b"Broken pipe" not in result.stderr and b"error" not in result.stderr


def test_a_full_disk_is_reported(plm):
    with open("/dev/full", "wb") as full:
        result = subprocess.run([plm.path, "run", "-p", "x", "-n", "5"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert result.returncode == 1 and b"No space left" in result.stderr


def test_ctrl_c_keeps_what_was_written(plm):
    process = subprocess.Popen(
        [plm.path, "run", "-p", "The fox", "--ignore-eos", "--context-shift"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.read(20)
    process.send_signal(signal.SIGINT)
    _, talk = process.communicate(timeout=30)
    assert process.returncode == 130 and b"interrupted" in talk and b"tok/s" in talk


def test_files_that_are_no_models_are_refused_in_one_line(plm, bundled_model, tmp_path):
    def model(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    good = bundled_model.read_bytes()
    assert "empty" in fails(plm, "run", "-p", "x", "-m", model("empty.gguf", b""))
    assert "PNG" in fails(plm, "run", "-p", "x", "-m", model("png.gguf", b"\x89PNG\r\n\x1a\n" + bytes(100)))
    assert "directory" in fails(plm, "run", "-p", "x", "-m", tmp_path)
    assert "No such file" in fails(plm, "run", "-p", "x", "-m", tmp_path / "absent.gguf")
    for size in (3, 8, 24, 1000, 100_000, len(good) - 1):
        fails(plm, "run", "-p", "x", "-m", model("cut.gguf", good[:size]))
    other = good.replace(b"\x03\0\0\0\0\0\0\0plm", b"\x03\0\0\0\0\0\0\0xyz", 1)
    message = fails(plm, "run", "-p", "x", "-m", model("other.gguf", other))
    assert "xyz" in message and "plm" in message.split("xyz", 1)[1], "names it and lists those known"


def test_what_cannot_be_had_is_said(plm):
    threads = plm.run("run", "-p", "x", "-n", 2, "-t", 200)
    assert threads.returncode == 0 and (b"200 threads" in threads.stderr or (os.cpu_count() or 1) >= 200)
    layers = plm.run("run", "-p", "x", "-n", 2, "-ngl", 99)
    assert layers.returncode == 0 and b"-ngl 99" in layers.stderr
    result = plm.run("run", "-p", "x", "-c", 4_000_000_000)
    assert result.returncode == 1 and b"needs" in result.stderr and b"free" in result.stderr


def test_every_cache_type_runs(plm):
    for cache in ("f32", "f16", "bf16", "q8_0"):
        assert plm.ok("run", "-p", "The fox", "-n", 10, *GREEDY, "-ctk", cache, "-ctv", cache)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("rnu",),
        ("run",),
        ("run", "--nonsense"),
        ("run", "-nonsense"),
        ("run", "-p"),
        ("run", "-p", "x", "-n", "many"),
        ("run", "-p", "x", "-f", "y"),
        ("run", "-p", "x", "-t", "-5"),
        ("run", "-p", "x", "--temp", "nan"),
        ("run", "-p", "x", "--samplers", "top_z"),
        ("run", "-p", "x", "--mirostat", "1"),
        ("run", "-p", "x", "-l", "5"),
        ("run", "-p", "x", "-l", "99999999+1"),
        ("run", "-p", "x", "-m", ""),
        ("run", "-p", "x", "-ctk", "q4_0"),
        ("run", "-p", "x", "-ctk", "f16", "-ctv", "f32"),
    ],
)
def test_a_wrong_command_line_exits_with_2(plm, arguments):
    fails(plm, *arguments, code=2)


def test_help_and_version(plm):
    assert plm.ok("--version").startswith(b"plm ")
    listed = plm.ok("--help").decode()
    for command in ("run", "chat", "score", "perplexity", "tokenize", "detokenize", "inspect", "synth", "bench"):
        assert f"  {command} " in listed
        assert b"Examples:" in plm.ok(command, "--help")


def test_the_model_may_come_from_the_environment(plm, bundled_model, tmp_path):
    assert "absent" in fails(plm, "run", "-p", "x", env=os.environ | {"PLM_MODEL": str(tmp_path / "absent")})
    assert plm.ok("run", "-p", "x", "-n", 1, env={"PLM_MODEL": str(bundled_model)})


def test_grammars_say_what_is_written(plm, bundled_model, tmp_path):
    def text(*flags):
        return plm.ok("run", "-m", bundled_model, "-p", "Once upon a time", "-n", 200, "-s", 4, "--no-perf", *flags).decode()

    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "ok": {"type": "boolean"}}, "required": ["n", "ok"]}
    (tmp_path / "s.json").write_text(json.dumps(schema))
    (tmp_path / "g.gbnf").write_text('root ::= " " word{2}\nword ::= "tick" | "tock"\n')
    for flags in (["--json-schema", json.dumps(schema)], ["-j", json.dumps(schema)], ["-jf", tmp_path / "s.json"]):
        jsonschema.validate(json.loads(text(*flags)), schema)
    assert re.fullmatch(" (tick|tock){2}", text("--grammar-file", tmp_path / "g.gbnf"))
    assert text("--grammar", 'root ::= "naïve 日本"', "--temp", 0) == "naïve 日本"
    assert re.fullmatch("[a-c]{5}", text("--regex", "[a-c]{5}"))


def test_a_grammar_that_is_none_is_an_error_of_the_command_line(plm, bundled_model, tmp_path):
    (tmp_path / "g.gbnf").write_text("root ::= (\n")
    for flags, message in (
        (["--grammar", "root ::= a"], "rule a is used but not defined"),
        (["--grammar-file", tmp_path / "g.gbnf"], "g.gbnf"),
        (["--json-schema", '{"type": "thing"}'], "found the type thing"),
        (["--regex", "(?=a)"], "not supported"),
        (["--regex", "a", "--grammar", 'root ::= "a"'], "give one of"),
    ):
        result = plm.run("run", "-m", bundled_model, "-p", "x", "-n", 2, *flags)
        assert result.returncode == 2 and message in result.stderr.decode(), (flags, result.stderr)
