"""Whole chat templates beside jinja2, and `plm chat` with templates of the command line."""

import functools
import json
import subprocess

import pytest
from chat_templates import CONVERSATIONS, TEMPLATES, TOOLS
from conftest import BUILD, ROOT
from hf_jinja import environment

NOW = 1_700_000_000


def sources():
    found = dict(TEMPLATES)
    for path in sorted((ROOT.parent / "shared").glob("*/*/tokenizer_config.json")):
        text = json.loads(path.read_text()).get("chat_template")
        if isinstance(text, str):
            found[str(path.parent.name)] = text
    return found


def published():
    """The templates of models that llama.cpp's source carries (tools/python_env.sh)."""
    return {path.stem: path.read_text() for path in sorted((ROOT / ".venv" / "chat-templates").glob("*.jinja"))}


def jobs(templates):
    for name, source in templates.items():
        for conversation, messages in CONVERSATIONS.items():
            for tools in (None, TOOLS):
                for prompt in (False, True):
                    variables = {
                        "messages": messages, "tools": tools, "documents": None, "add_generation_prompt": prompt,
                        "bos_token": "<s>", "eos_token": "</s>",
                    }  # fmt: skip
                    if prompt and not tools:
                        variables["enable_thinking"] = False
                    yield f"{name}/{conversation}", source, variables


def check_as_by_jinja2(templates):
    """How many texts were equal, and how many times both refused."""
    program = BUILD / "bin" / "render_lines"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    all_jobs = list(jobs(templates))
    lines = "\n".join(json.dumps({"template": s, "variables": v, "now": NOW}) for _, s, v in all_jobs)
    result = subprocess.run([program], input=lines.encode(), capture_output=True, timeout=120, check=True)
    answers = [json.loads(line) for line in result.stdout.decode().splitlines()]
    compiled = functools.cache(environment(NOW).from_string)
    n_texts = n_refused = 0
    for (name, source, variables), ours in zip(all_jobs, answers, strict=True):
        try:
            theirs = compiled(source).render(**variables)
        except Exception as error:  # noqa: BLE001 - a refusal by the template, or a TypeError of Python
            assert "error" in ours, (name, error, ours)
            n_refused += 1
            continue
        n_texts += 1
        assert ours.get("text") == theirs, (name, ours)
    return n_texts, n_refused


def test_conversations_are_rendered_as_by_jinja2():
    n_texts, n_refused = check_as_by_jinja2(sources())
    assert n_texts > 150 and n_texts + n_refused >= 280


def test_templates_of_published_models_are_rendered_as_by_jinja2():
    templates = published()
    if not templates:
        pytest.skip("the source of llama-cpp-python could not be had; see .venv/llama-cpp-python.log")
    n_texts, _ = check_as_by_jinja2(templates)
    assert len(templates) >= 60 and n_texts > 30 * len(templates)


def answer_of(plm, model, *flags):
    return plm.ok("chat", "-m", model, "-p", "Tell me of a fox.", "--single-turn", "-n", 8, "--temp", 0, "--no-perf", *flags)


def test_chat_takes_a_name_a_text_or_a_file(plm, bundled_model, tmp_path):
    own = answer_of(plm, bundled_model)
    assert answer_of(plm, bundled_model, "--jinja", "--chat-template", "chatml") == own
    text = "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' ~ m.content ~ '<|im_end|>\n' }}{% endfor %}{{ x }}"
    (tmp_path / "t.jinja").write_text(text)
    kwargs = json.dumps({"x": "<|im_start|>assistant\n"})
    for flags in (["--chat-template", text], ["--chat-template-file", tmp_path / "t.jinja"]):
        assert answer_of(plm, bundled_model, *flags, "--chat-template-kwargs", kwargs) == own


def test_chat_says_what_is_wrong_with_a_template(plm, bundled_model):
    def error_of(*flags):
        result = plm.run("chat", "-m", bundled_model, "-p", "x", "--single-turn", *flags)
        return result.returncode, result.stderr.decode()

    code, message = error_of("--chat-template", "{% if %}")
    assert code == 1 and "chat template: line 1: found '%}', expected an expression" in message
    code, message = error_of("--chat-template", "nothing")
    assert code == 2 and "chatml" in message
    code, message = error_of("--chat-template", "{{ raise_exception('No.') }}")
    assert code == 2 and "the template refuses: No." in message
    code, message = error_of("--chat-template-kwargs", "[1]")
    assert code == 2 and "JSON object" in message
