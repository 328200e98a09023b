"""lm-evaluation-harness scores a model through `plm serve`, which is its tokenizer too. It is a program of its own, in .venv-eval
(tools/python_env.sh).
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
from plm_server import Server

LM_EVAL = Path(__file__).resolve().parents[2] / ".venv-eval" / "bin" / "lm_eval"
if not LM_EVAL.exists():
    pytest.skip("lm_eval is not installed (tools/python_env.sh)", allow_module_level=True)

QUESTIONS = [
    {"question": "Once upon a", "choices": ["time", "zzkq bb"], "answer": 0},
    {"question": "The king and the", "choices": ["queen", "xv of of"], "answer": 0},
    {"question": "The little dog ran to the", "choices": ["qqqz", "house"], "answer": 1},
    {"question": "She looked at him and", "choices": ["said", "the the pq"], "answer": 0},
]
CHOICE_TASK = """\
task: tiny_choices
dataset_path: json
dataset_kwargs: {data_files: {test: %s}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_target: answer
doc_to_choice: "{{choices}}"
metric_list: [{metric: acc}, {metric: acc_norm}]
"""
WRITING_TASK = """\
task: tiny_writing
dataset_path: json
dataset_kwargs: {data_files: {test: %s}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{choices[answer]}}"
generation_kwargs: {until: ["."], max_gen_toks: 8, temperature: 0}
metric_list: [{metric: exact_match}]
"""


@pytest.fixture(scope="module")
def results(plm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm_eval")
    data = folder / "questions.jsonl"
    data.write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    (folder / "choices.yaml").write_text(CHOICE_TASK % data)
    (folder / "writing.yaml").write_text(WRITING_TASK % data)
    environment = os.environ | {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1",
                                "OPENAI_API_KEY": "none", "no_proxy": "127.0.0.1"}  # fmt: skip
    with Server(plm, "-np", 4) as server:
        model = f"model=story,base_url={server.url}/v1/completions,tokenizer_backend=remote,max_length=256,num_concurrent=4"
        done = subprocess.run(
            [LM_EVAL, "--model", "local-completions", "--model_args", model, "--tasks",
             "tiny_choices,tiny_writing", "--include_path", folder, "--output_path", folder / "out", "--log_samples"],
            env=environment, cwd=folder, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        assert server.is_alive()
        scores = [
            (question, choice, server.ok("/v1/completions", {"prompt": f"{question['question']} {choice}", "max_tokens": 0,
                                                             "echo": True, "logprobs": 0, "temperature": 0}))
            for question in QUESTIONS for choice in question["choices"]
        ]  # fmt: skip
        begins = {question["question"]: len(server.ok("/tokenize", {"content": question["question"]})["tokens"])
                  for question in QUESTIONS}  # fmt: skip
    report = json.loads(next((folder / "out").rglob("results_*.json")).read_text())["results"]
    samples = [json.loads(line) for line in next((folder / "out").rglob("samples_tiny_choices_*.jsonl")).read_text().splitlines()]
    return report, samples, scores, begins


def test_the_likelier_ending_is_found(results):
    report, _, _, _ = results
    assert report["tiny_choices"]["acc,none"] == 1.0, "these a model of stories knows"
    assert "exact_match,none" in report["tiny_writing"]


def test_its_sums_are_those_of_the_tokens_log_probabilities(results):
    _, samples, scores, begins = results
    expected = {
        (question["question"], choice): sum(reply["choices"][0]["logprobs"]["token_logprobs"][begins[question["question"]] :])
        for question, choice, reply in scores
    }
    assert len(samples) == len(QUESTIONS)
    for sample in samples:
        doc = sample["doc"]
        for choice, reply in zip(doc["choices"], sample["filtered_resps"]):
            assert float(reply[0]) == pytest.approx(expected[doc["question"], choice], abs=1e-3)
