"""`plm serve` as its clients meet it: OpenAI's own Python client, curl-like requests, strangers."""

import concurrent.futures
import json
import re
import socket
import ssl
import subprocess
import threading
import time

import jsonschema
import pytest
from chat_templates import TEMPLATES, TOOLS
from hf_jinja import environment
from plm_server import WEATHER, Server

openai = pytest.importorskip("openai", reason="the openai client is not installed")

PROMPTS = ["Once upon a time", "The dog", "There was a little girl who", "One day the king", "In the morning", "I"]


@pytest.fixture(scope="module")
def server(plm):
    with Server(plm, "-np", 4, "--metrics", "-a", "story", "--max-queue", 40) as running:
        yield running
        assert running.is_alive()


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=120) as made:
        yield made


# The OpenAI client


def test_a_completion_has_openais_form(client, plm):
    reply = client.completions.create(model="story", prompt="Once upon a time", max_tokens=12, temperature=0)
    assert reply.object == "text_completion" and reply.model == "story"
    assert reply.choices[0].finish_reason == "length" and reply.choices[0].logprobs is None
    assert reply.usage.completion_tokens == 12 and reply.usage.total_tokens == reply.usage.prompt_tokens + 12
    alone = plm.ok("run", "-p", "Once upon a time", "-n", 12, "--temp", 0).decode()
    assert reply.choices[0].text == alone


def test_a_chat_has_openais_form(client):
    reply = client.chat.completions.create(
        model="story",
        messages=[
            {"role": "system", "content": "You tell stories."},
            {"role": "user", "content": [{"type": "text", "text": "Tell me of a dog."}]},
        ],
        max_tokens=10,
        logprobs=True,
        top_logprobs=2,
    )
    choice = reply.choices[0]
    assert choice.message.role == "assistant" and choice.finish_reason in ("stop", "length")
    assert len(choice.logprobs.content) == reply.usage.completion_tokens
    for token in choice.logprobs.content:
        assert len(token.top_logprobs) == 2 and token.logprob <= 0 and bytes(token.bytes)


def test_words_of_the_assistant_at_the_end_begin_the_answer(server):
    asked = [{"role": "user", "content": "Tell me of a dog."}]
    begun = [*asked, {"role": "assistant", "content": "There was a"}]
    prompt = server.ok("/apply-template", {"messages": asked})["prompt"]
    assert server.ok("/apply-template", {"messages": begun})["prompt"] == prompt + "There was a"
    after = server.ok("/apply-template", {"messages": begun, "continue_final_message": False})["prompt"]
    assert after.startswith(prompt + "There was a<|im_end|>") and after.endswith("assistant\n")
    closed = server.ok("/apply-template", {"messages": begun, "add_generation_prompt": False})["prompt"]
    assert closed == prompt + "There was a<|im_end|>\n"
    same = {"messages": begun, "continue_final_message": True, "add_generation_prompt": False}
    assert server.ok("/apply-template", same)["prompt"] == prompt + "There was a"
    status, reply, _ = server.ask("/apply-template", {"messages": asked, "continue_final_message": True})
    assert status == 400 and "continue_final_message" in reply["error"]["message"]
    count = server.ok("/v1/messages/count_tokens", {"messages": begun})["input_tokens"]
    assert count == len(server.ok("/tokenize", {"content": prompt + "There was a", "add_special": True})["tokens"])


def test_a_stream_is_the_same_text_in_parts(client):
    options = dict(model="story", prompt="Once upon a time", max_tokens=30, temperature=0)
    whole = client.completions.create(**options)
    parts = list(client.completions.create(**options, stream=True, stream_options={"include_usage": True}))
    assert "".join(part.choices[0].text for part in parts if part.choices) == whole.choices[0].text
    assert len(parts) > 10
    assert parts[-1].choices == [] and parts[-1].usage.completion_tokens == 30
    assert parts[-1].usage.completion_tokens_details.reasoning_tokens == 0
    assert parts[-2].choices[0].finish_reason == "length" and parts[-2].timings["predicted_n"] == 30

    messages = [{"role": "user", "content": "A fox and a hen"}]
    chat = client.chat.completions.create(model="story", messages=messages, max_tokens=20, temperature=0)
    chunks = list(
        client.chat.completions.create(model="story", messages=messages, max_tokens=20, temperature=0, stream=True)
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == chat.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    assert chunks[-1].timings["predicted_n"] == chat.usage.completion_tokens, "who asks for no usage has timings too"


def test_llama_cpps_own_completion_has_its_form(server, client):
    ask = {"prompt": "Once upon a time", "n_predict": 12, "temperature": 0}
    reply = server.ok("/completion", ask)
    openais = client.completions.create(model="story", prompt="Once upon a time", max_tokens=12, temperature=0)
    assert reply["content"] == openais.choices[0].text and reply["stop"] is True and reply["stop_type"] == "limit"
    assert reply["tokens_predicted"] == reply["timings"]["predicted_n"] == 12
    assert reply["tokens_evaluated"] == reply["timings"]["prompt_n"] + reply["timings"]["cache_n"] == openais.usage.prompt_tokens
    word = reply["content"][6:9]
    stopped = server.ok("/completion", ask | {"stop": [word]})
    assert (stopped["stop_type"], stopped["stopping_word"], stopped["content"]) == ("word", word, reply["content"][:6])
    events = [json.loads(line[6:]) for line in server.ok("/completion", ask | {"stream": True}).splitlines() if line]
    assert "".join(event["content"] for event in events) == reply["content"]
    assert [event["stop"] for event in events] == [False] * (len(events) - 1) + [True]
    several = server.ok("/completion", ask | {"prompt": ["A", [1, 2]], "n_probs": 2, "n_predict": 2})
    assert [one["index"] for one in several] == [0, 1]
    assert [len(token["top_logprobs"]) for token in several[1]["completion_probabilities"]] == [2, 2]
    for path in ("/infill", "/rerank", "/v1/rerank"):
        status, reply, _ = server.ask(path, {"query": "a"})
        assert status == 501 and "not supported" in reply["error"]["message"]


def test_command_lines_of_llama_server_are_taken(plm, bundled_model):
    flags = ["-m", bundled_model, "-ngl", 99, "-fa", "-cb", "--embeddings", "--mlock", "--no-mmap", "--no-warmup", "-kvu",
             "--cache-reuse", 256, "-sps", 0.5, "--threads-http", 4, "--no-context-shift", "--no-webui", "--jinja",
             "--reasoning-format", "none"]  # fmt: skip
    with Server(plm, *flags) as server:
        server.ok("/v1/completions", {"prompt": "Once", "max_tokens": 1})
        assert server.ask("/")[0] == 404, "--no-webui"
    said = "".join(server.log)
    assert "--flash-attn, --cont-batching, --kv-unified, --embedding" in said and "without effect" in said
    assert plm.run("serve", "--port", 0, "--reasoning-format", "deepseek").returncode == 2


def test_environment_variables_of_llama_server_are_taken(plm, monkeypatch):
    for name, value in {"CTX_SIZE": "128", "N_PARALLEL": "3", "ENDPOINT_METRICS": "on", "NO_UI": "1", "HOST": ""}.items():
        monkeypatch.setenv(f"LLAMA_ARG_{name}", value)
    monkeypatch.setenv("LLAMA_API_KEY", "secret")
    with Server(plm, "-np", 2) as server:
        assert server.ask("/props")[0] == 401
        props = server.ok("/props", headers={"X-Api-Key": "secret"})
        assert props["total_slots"] == 2, "what the command line says goes first"
        assert props["default_generation_settings"]["n_ctx"] == 128 and props["endpoint_metrics"] is True
        assert server.ask("/", headers={"X-Api-Key": "secret"})[0] == 404, "LLAMA_ARG_NO_UI"
    said = "".join(server.log)
    assert "LLAMA_ARG_CTX_SIZE" in said and "N_PARALLEL" not in said and "secret" not in said
    for name, value in (("LLAMA_ARG_CTX_SIZE", "many"), ("LLAMA_ARG_ENDPOINT_METRICS", "maybe")):
        monkeypatch.setenv(name, value)
        done = plm.run("serve", "--port", 0)
        said = done.stderr.decode()
        assert done.returncode == 2 and said.count("\n") == 1 and name in said and value in said, said
        monkeypatch.delenv(name)


def test_the_length_of_answers_that_do_not_say(plm):
    with Server(plm, "-n", 3) as short:
        said = {"prompt": "Once", "ignore_eos": True}
        for more, n in (({}, 3), ({"max_tokens": 5}, 5), ({"n_predict": -1}, 3)):
            assert short.ok("/v1/completions", said | more)["usage"]["completion_tokens"] == n
        assert short.ok("/props")["default_generation_settings"]["params"]["n_predict"] == 3


def test_a_stop_text_ends_an_answer_before_it(client):
    options = dict(model="story", prompt="Once upon a time", temperature=0, max_tokens=40)
    text = client.completions.create(**options).choices[0].text
    stop = text[11:15]
    cut = client.completions.create(**options, stop=["never", stop])
    assert cut.choices[0].text == text[: text.index(stop)] and cut.choices[0].finish_reason == "stop"
    streamed = client.completions.create(**options, stop=stop, stream=True)
    assert "".join(part.choices[0].text for part in streamed) == text[: text.index(stop)]


def test_several_prompts_and_choices_come_in_order(client):
    reply = client.completions.create(model="story", prompt=PROMPTS[:3], n=2, max_tokens=8, seed=7)
    assert [choice.index for choice in reply.choices] == list(range(6))
    for i, prompt in enumerate(PROMPTS[:3]):
        for k in range(2):
            alone = client.completions.create(model="story", prompt=prompt, max_tokens=8, seed=7 + k)
            assert reply.choices[2 * i + k].text == alone.choices[0].text
    streams = {}
    for part in client.completions.create(model="story", prompt=PROMPTS[:3], n=2, max_tokens=8, seed=7, stream=True):
        for choice in part.choices:
            streams[choice.index] = streams.get(choice.index, "") + choice.text
    assert streams == {choice.index: choice.text for choice in reply.choices}


def test_concurrent_requests_get_what_they_get_alone(client):
    def ask(i):
        greedy = {"temperature": 0} if i % 2 else {"temperature": 1.0, "seed": 50 + i}
        return client.completions.create(
            model="story", prompt=PROMPTS[i % len(PROMPTS)], max_tokens=10 + i, extra_body={"cache_prompt": False}, **greedy
        ).choices[0].text

    alone = [ask(i) for i in range(12)]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert list(pool.map(ask, range(12))) == alone


def test_token_ids_logprobs_and_echo_are_what_lm_eval_needs(server, client):
    ids = server.ok("/tokenize", {"prompt": "Once upon a time", "add_special_tokens": False})["tokens"]
    reply = client.completions.create(
        model="story", prompt=[ids, ids[:2]], max_tokens=1, logprobs=1, echo=True, temperature=0, seed=1234
    )
    for choice, n in zip(reply.choices, (len(ids), 2)):
        log = choice.logprobs
        assert len(log.token_logprobs) == len(log.top_logprobs) == len(log.tokens) == n + 1
        assert log.token_logprobs[0] is None and log.text_offset[0] == 0
        assert log.token_logprobs[-1] == max(log.top_logprobs[-1].values()), "greedy"
        for number, top in zip(log.token_logprobs[1:], log.top_logprobs[1:]):
            assert number <= max(top.values()) and number in top.values()
    assert reply.choices[0].text.startswith("Once upon a time")
    scored = client.completions.create(model="story", prompt=ids, max_tokens=0, logprobs=0, echo=True)
    assert scored.choices[0].text == "Once upon a time" and len(scored.choices[0].logprobs.tokens) == len(ids)
    text = "né: one"  # é is two tokens
    offsets = client.completions.create(model="story", prompt=text, max_tokens=0, logprobs=0, echo=True).choices[0].logprobs
    for token, offset in zip(offsets.tokens, offsets.text_offset):
        assert "\ufffd" in token or text[offset:].startswith(token), "in characters"


def test_prompt_scores_are_those_of_plm_score(server, plm):
    line = json.loads(plm.ok("score", "--text", "Once upon a time there was a fox", "-c", 256))
    reply = server.ok("/v1/completions", {"prompt": line["ids"], "max_tokens": 0, "logprobs": 0, "echo": True})
    numbers = reply["choices"][0]["logprobs"]["token_logprobs"]
    assert numbers[1:] == pytest.approx(line["logprobs"][1:], abs=1e-4)


def test_a_logit_bias_bans_or_forces_a_token(client):
    options = dict(model="story", prompt="Once upon a time", temperature=0, max_tokens=1, logprobs=0)
    first = client.completions.create(**options)
    ids = client.completions.create(**options, echo=True)
    assert ids.choices[0].text.startswith("Once upon a time")
    forced = client.completions.create(**options, logit_bias={"100": 100.0})
    banned = client.completions.create(**options, logit_bias={"100": -100})
    word = client.completions.create(**options, extra_body={"logit_bias": [[" king", 100.0]]})
    assert word.choices[0].text == " king", "a text stands for its tokens"
    assert forced.choices[0].text != first.choices[0].text == banned.choices[0].text


def test_a_prompt_that_begins_as_an_earlier_one_is_not_read_again(client):
    prompt = "The fox ran into the wood. " * 10
    first = client.completions.create(model="story", prompt=prompt, max_tokens=4, temperature=0)
    again = client.completions.create(model="story", prompt=prompt, max_tokens=4, temperature=0)
    assert again.usage.prompt_tokens_details.cached_tokens == again.usage.prompt_tokens - 1
    assert again.choices[0].text == first.choices[0].text
    seeded = client.completions.create(model="story", prompt=prompt, max_tokens=4, seed=1)
    assert seeded.usage.prompt_tokens_details.cached_tokens % 64 == 0


def test_embeddings_have_length_one_and_the_models_width(client, server):
    reply = client.embeddings.create(model="story", input=["The dog ran.", "A king.", "The dog ran."])
    rows = [item.embedding for item in reply.data]  # the client asks for base64
    width = server.ok("/v1/models")["data"][0]["meta"]["n_embd"]
    assert all(len(row) == width and abs(sum(x * x for x in row) - 1) < 1e-4 for row in rows)
    assert rows[0] == pytest.approx(rows[2], abs=1e-4)
    assert reply.usage.prompt_tokens > 5
    numbers = server.ok("/v1/embeddings", {"input": "A king."})["data"][0]["embedding"]
    assert numbers == pytest.approx(rows[1], abs=1e-4)


def test_embeddings_have_llama_cpps_form_too(server):
    numbers = [item["embedding"] for item in server.ok("/v1/embeddings", {"input": ["A king.", [1, 2]]})["data"]]
    for path, field in (("/embedding", "content"), ("/embeddings", "input")):
        several = server.ok(path, {field: ["A king.", [1, 2]]})
        assert [one["index"] for one in several] == [0, 1]
        for one, row in zip(several, numbers):
            assert len(one["embedding"]) == 1 and one["embedding"][0] == pytest.approx(row, abs=1e-6)
        assert server.ok(path, {field: "A king."}) == pytest.approx(several[:1])
    (as_it_is,) = server.ok("/embedding", {"content": "A king.", "embd_normalize": -1})
    length = sum(x * x for x in as_it_is["embedding"][0]) ** 0.5
    assert abs(length - 1) > 0.01 and [x / length for x in as_it_is["embedding"][0]] == pytest.approx(numbers[0], abs=1e-5)
    for wrong in ({}, {"content": []}, {"content": 5}, {"content": "a", "embd_normalize": 1}, {"input": [None]}):
        assert server.ask("/embedding", wrong)[0] == 400, wrong


def test_responses_and_messages_keep_to_a_grammar_too(server):
    messages = [{"role": "user", "content": "Tell me of a dog."}]
    wanted = {"regex": "(fox|hen){2}", "temperature": 0}
    answer = server.ok("/v1/responses", {"input": messages, **wanted})
    assert re.fullmatch("(fox|hen){2}", answer["output"][0]["content"][0]["text"])
    answer = server.ok("/v1/messages", {"messages": messages, "max_tokens": 20, **wanted})
    assert re.fullmatch("(fox|hen){2}", answer["content"][0]["text"])


def test_responses_are_the_text_of_a_chat(client):
    options = dict(model="story", instructions="You tell stories.", temperature=0, max_output_tokens=12)
    whole = client.responses.create(input="Tell me of a dog.", **options)
    listed = client.responses.create(input=[{"role": "user", "content": [{"type": "input_text", "text": "Tell me of a dog."}]}], **options)
    messages = [{"role": "system", "content": "You tell stories."}, {"role": "user", "content": "Tell me of a dog."}]
    chat = client.chat.completions.create(model="story", messages=messages, temperature=0, max_tokens=12)
    assert whole.output_text == listed.output_text == chat.choices[0].message.content
    assert whole.status in ("completed", "incomplete") and whole.usage.output_tokens == chat.usage.completion_tokens
    events = list(client.responses.create(input="Tell me of a dog.", stream=True, **options))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[-1].type == "response." + whole.status
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text
    assert events[-1].response.output_text == whole.output_text


def test_messages_have_anthropics_form(server):
    ask = {"model": "story", "system": "You tell stories.", "max_tokens": 12, "temperature": 0,
           "messages": [{"role": "user", "content": [{"type": "text", "text": "Tell me of a dog."}]}]}  # fmt: skip
    reply = server.ok("/v1/messages", ask)
    assert reply["type"] == "message" and reply["stop_reason"] in ("max_tokens", "end_turn")
    text = reply["content"][0]["text"]
    usage = reply["usage"]
    counted = server.ok("/v1/messages/count_tokens", {key: ask[key] for key in ("model", "system", "messages")})
    assert counted["input_tokens"] == usage["input_tokens"] + usage["cache_read_input_tokens"]
    cut = server.ok("/v1/messages", ask | {"stop_sequences": [text[6:9]]})
    assert (cut["stop_reason"], cut["stop_sequence"]) == ("stop_sequence", text[6:9])
    events = [json.loads(line[6:]) for line in server.ok("/v1/messages", ask | {"stream": True}).splitlines() if line.startswith("data: ")]
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"] and kinds[-2:] == ["message_delta", "message_stop"]
    assert "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta") == text
    assert events[0]["message"]["usage"]["input_tokens"] == counted["input_tokens"]


def test_only_stop_sequences_of_the_client_are_told_of(plm):
    with Server(plm, "--chat-template", "plain") as server:  # which has one of its own
        ask = {"max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}], "regex": "So\nUser: x"}
        reply = server.ok("/v1/messages", ask)
        assert (reply["content"][0]["text"], reply["stop_reason"], reply["stop_sequence"]) == ("So", "end_turn", None)
        reply = server.ok("/v1/messages", ask | {"stop_sequences": ["o"]})
        assert (reply["content"][0]["text"], reply["stop_reason"], reply["stop_sequence"]) == ("S", "stop_sequence", "o")


def test_the_document_describes_every_path(server):
    document = server.ok("/openapi.json")
    assert document["openapi"].startswith("3.") and {"/v1/completions", "/v1/messages"} <= document["paths"].keys()
    for path, operations in document["paths"].items():
        for method in operations:
            assert server.ask(path.replace("{name}", "story"), {} if method == "post" else None)[0] != 404, path


def test_models_are_listed_and_found_by_name(client, plm):
    assert [model.id for model in client.models.list()] == ["story"]
    assert client.models.retrieve("story").owned_by == "plm"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")
    with Server(plm, "-a", "org/story") as named, openai.OpenAI(base_url=named.url + "/v1", api_key="none") as asking:
        assert asking.models.retrieve("org/story").id == "org/story"


def test_clients_without_v1_in_their_address_are_answered(server):
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=120) as client:
        messages = [{"role": "user", "content": "Hi"}]
        chat = client.chat.completions.create(model="story", messages=messages, max_tokens=2)
        assert chat.usage.completion_tokens == 2 and chat.system_fingerprint.startswith("plm-")
        assert client.responses.create(model="story", input="Hi", max_output_tokens=2).usage.output_tokens == 2
    native = server.ok("/completions", {"prompt": "A", "n_predict": 2, "return_tokens": True, "temperature": 0})
    assert native["stop_type"] == "limit" and native["prompt"] == "A" and native["has_new_line"] is False
    assert server.ok("/detokenize", {"tokens": native["tokens"]})["content"] == native["content"]


# Cancelling, crowds, the end


def test_a_client_that_goes_frees_its_slot(server, client):
    for _ in range(6):
        stream = client.completions.create(
            model="story", prompt="Once", max_tokens=200, stream=True, extra_body={"ignore_eos": True}
        )
        next(iter(stream))
        stream.close()
    # One that reads nothing but the end, and goes before it.
    body = json.dumps({"prompt": "Once", "max_tokens": 200, "ignore_eos": True}).encode()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
    assert client.completions.create(model="story", prompt="The dog", max_tokens=3).usage.completion_tokens == 3


def until(condition):
    """Waits for something that must come."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def test_more_than_may_wait_are_sent_away_with_a_time_to_come_back(plm):
    with Server(plm, "-np", 1, "--max-queue", 1, "-c", 16384, "--metrics") as server:
        body = json.dumps({"prompt": "Once", "ignore_eos": True, "stream": True}).encode()
        data = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        with socket.create_connection(("127.0.0.1", server.port)) as writing:
            writing.sendall(data)
            until(lambda: server.ok("/slots")[0]["is_processing"])
            with socket.create_connection(("127.0.0.1", server.port)) as waiting:
                waiting.sendall(data)
                until(lambda: "llamacpp:requests_deferred 1\n" in server.ok("/metrics"))
                assert server.ask("/slots?fail_on_no_slot=1")[0] == 503
                status, reply, headers = server.ask("/v1/completions", {"prompt": "A", "max_tokens": 1})
                assert status == 429 and reply["error"]["type"] == "rate_limit_error"
                assert int(headers["Retry-After"]) > 0
        until(lambda: server.ask("/v1/completions", {"prompt": "A", "max_tokens": 1})[0] == 200)  # they went


def test_sigterm_lets_the_accepted_finish(plm):
    server = Server(plm, "-np", 2)
    with openai.OpenAI(base_url=server.url + "/v1", api_key="x", max_retries=0) as client:
        stream = client.completions.create(
            model="m", prompt="Once", max_tokens=150, stream=True, extra_body={"ignore_eos": True}
        )
        parts = iter(stream)
        next(parts)
        codes = []
        stopper = threading.Thread(target=lambda: codes.append(server.stop()))
        stopper.start()
        assert list(parts)[-1].choices[0].finish_reason == "length"
    stopper.join()
    assert codes == [0]


# Output under control


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 12},
        "kind": {"enum": ["dog", "cat", "bird"]},
        "age": {"type": "integer", "minimum": 0, "maximum": 30},
        "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]{1,8}$"}, "maxItems": 3},
        "owner": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/person"}]},
    },
    "required": ["name", "kind", "age", "owner"],
    "additionalProperties": False,
    "$defs": {
        "person": {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 8}, "born": {"type": "string", "format": "date"}},
            "required": ["name", "born"],
        }
    },
}


def json_schema_format(schema):
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


def test_answers_are_json_of_the_schema_asked_for(client):
    messages = [{"role": "user", "content": "Tell me of your pet."}]
    for seed in range(6):
        chat = client.chat.completions.create(
            model="story", messages=messages, seed=seed, temperature=1.5, max_tokens=400,
            response_format=json_schema_format(SCHEMA),
        )  # fmt: skip
        assert chat.choices[0].finish_reason == "stop"
        jsonschema.validate(json.loads(chat.choices[0].message.content), SCHEMA)
    parts = client.chat.completions.create(
        model="story", messages=messages, seed=1, max_tokens=400, stream=True, response_format=json_schema_format(SCHEMA)
    )
    jsonschema.validate(json.loads("".join(p.choices[0].delta.content or "" for p in parts)), SCHEMA)


def test_answers_are_of_the_form_each_request_asks_for(server):
    def text(**fields):
        body = {"prompt": "Once upon a time", "max_tokens": 200, "temperature": 1.2, "seed": 3, **fields}
        choice = server.ok("/v1/completions", body)["choices"][0]
        return choice["text"], choice["finish_reason"]

    assert text(grammar='root ::= " yes" | " no"')[0] in (" yes", " no")
    word, reason = text(regex=" [a-z]{3,5}\\.")
    assert re.fullmatch(" [a-z]{3,5}\\.", word) and reason == "stop"
    word, reason = text(json_schema={"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 4})
    assert 2 <= len(json.loads(word)) <= 4 and reason == "stop"
    assert text(grammar='root ::= "x"', ignore_eos=True) == ("x", "stop"), "a grammar ends where it ends"
    assert text(grammar="root ::= [a-z]+ ", max_tokens=3)[1] == "length"
    word, reason = text(response_format={"type": "json_object"}, temperature=0, max_tokens=60)
    assert word.startswith("{") and (reason == "length" or json.loads(word) is not None)
    several = server.ok("/v1/completions", {"prompt": ["A", "B"], "n": 2, "seed": 1, "grammar": "root ::= [0-9]{3}"})
    assert all(re.fullmatch("[0-9]{3}", choice["text"]) for choice in several["choices"])


BAD_GRAMMARS = [
    {"grammar": "root"}, {"grammar": "x ::= y"}, {"grammar": 5}, {"grammar": "root ::= root"},
    {"grammar": "root ::= " + "(" * 5000}, {"grammar": 'root ::= (("a"{9999}){9999}){9999}'},
    {"regex": "(a"}, {"regex": "(?=a)"}, {"regex": 5}, {"json_schema": {"type": "thing"}}, {"json_schema": 5},
    {"json_schema": {"not": {}}}, {"json_schema": {"$ref": "#"}}, {"response_format": 5}, {"response_format": {"type": "x"}},
    {"response_format": {"type": "json_schema"}}, {"response_format": {"type": "json_schema", "json_schema": {}}},
    {"response_format": {"type": "json_schema", "json_schema": {"schema": {"enum": []}}}},
    {"grammar": 'root ::= "a"', "regex": "a"}, {"regex": "a", "response_format": {"type": "json_object"}},
    # Whose trouble shows only when it is run.
    {"grammar": "root ::= r0\n" + "\n".join(f'r{i} ::= r{i + 1} "x" | r{i + 1} "y"' for i in range(30)) + '\nr30 ::= "a"'},
    {"grammar": "root ::= [^\\U00000000-\\U0010FFFF]"},
]  # fmt: skip


def test_a_bad_grammar_is_an_error_that_says_so(server):
    for fields in BAD_GRAMMARS:
        for path, body in (
            ("/v1/completions", {"prompt": "a"}),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}]}),
        ):
            status, reply, _ = server.ask(path, {**body, "max_tokens": 2, **fields})
            assert status == 400, (path, fields, status, reply)
            assert reply["error"]["message"], fields
    assert server.is_alive()


def test_tools_are_called(plm, tmp_path):
    # Short, for the bundled model's context is.
    (tmp_path / "t.jinja").write_text(
        "{% for t in tools %}{{ t.function.name }} {% endfor %}{% for m in messages %}"
        "{{ m.role }}: {{ m.content or m.tool_calls[0].function.arguments }}\n{% endfor %}"
    )
    tools = [
        {"type": "function", "function": {"name": "weather", "description": "of a place", "parameters": WEATHER}},
        {"type": "function", "function": {"name": "time"}},
    ]
    messages = [{"role": "user", "content": "How is the weather?"}]
    with (
        Server(plm, "--chat-template-file", tmp_path / "t.jinja") as server,
        openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=120) as client,
    ):
        named = {"type": "function", "function": {"name": "weather"}}
        common = {"model": "story", "messages": messages, "tools": tools, "seed": 5, "max_tokens": 200}
        choice = client.chat.completions.create(**common, tool_choice=named).choices[0]
        assert choice.finish_reason == "tool_calls" and choice.message.content is None
        call = choice.message.tool_calls[0]
        assert call.type == "function" and call.function.name == "weather" and call.id
        jsonschema.validate(json.loads(call.function.arguments), WEATHER)

        parts = list(client.chat.completions.create(**common, tool_choice=named, stream=True))
        deltas = [d for p in parts for d in p.choices[0].delta.tool_calls or []]
        assert [d.index for d in deltas] == [0]
        assert deltas[0].function.model_dump() == call.function.model_dump()
        assert parts[-1].choices[0].finish_reason == "tool_calls"

        choice = client.chat.completions.create(**common, tool_choice="required").choices[0]
        assert choice.message.tool_calls[0].function.name in ("weather", "time")
        # The answer goes back with what the tool said; text without calls stays text.
        messages += [choice.message.model_dump(), {"role": "tool", "tool_call_id": "x", "content": "sunny"}]
        choice = client.chat.completions.create(**{**common, "max_tokens": 5}).choices[0]
        assert not choice.message.tool_calls and choice.finish_reason in ("length", "stop")
        for wrong in ({"type": "function", "function": {"name": "nothing"}}, "sometimes", 5):
            body = {"messages": messages[:1], "tools": tools, "tool_choice": wrong}
            assert server.ask("/v1/chat/completions", body)[0] == 400
    with Server(plm) as server:  # the bundled model's template tells of no tools
        assert server.ask("/v1/chat/completions", {"messages": messages[:1], "tools": tools})[0] == 400


# Other endpoints


def test_tokens_go_there_and_back(server):
    text = "Once upon a time, naïve 😀"
    ids = server.ok("/tokenize", {"content": text})["tokens"]
    assert server.ok("/detokenize", {"tokens": ids}) == {"content": text, "prompt": text}
    pieces = server.ok("/tokenize", {"content": "Once", "with_pieces": True})["tokens"]
    assert pieces[0].keys() == {"id", "piece"}
    parts = server.ok("/tokenize", {"content": "€", "with_pieces": True})["tokens"]
    assert bytes(byte for part in parts for byte in part["piece"]) == "€".encode(), "parts of a character as bytes"
    info = server.ok("/tokenizer_info")
    assert info["eos_token"] and "chat_template" in info
    prompt = server.ok("/apply-template", {"messages": [{"role": "user", "content": "Hi"}]})["prompt"]
    assert "Hi" in prompt


def test_prompts_are_written_by_the_template_with_tools_and_variables(plm, tmp_path):
    source = TEMPLATES["chatml-tools"]
    (tmp_path / "t.jinja").write_text(source + "{{ mood }}")
    messages = [{"role": "user", "content": "Hi"}]
    with Server(plm, "--chat-template-file", tmp_path / "t.jinja", "--chat-template-kwargs", '{"mood": "calm"}') as server:
        assert server.ok("/props")["chat_template"] == source + "{{ mood }}"
        prompt = server.ok("/apply-template", {"messages": messages, "tools": TOOLS})["prompt"]
        theirs = environment().from_string(source).render(messages=messages, tools=TOOLS, add_generation_prompt=True)
        assert prompt == theirs + "calm"
        body = {"messages": messages, "tools": TOOLS, "tool_choice": "none", "chat_template_kwargs": {"mood": "glad"}}
        prompt = server.ok("/apply-template", body)["prompt"]
        assert prompt == environment().from_string(source).render(messages=messages, add_generation_prompt=True) + "glad"


def test_the_server_tells_how_it_is(server):
    assert server.ok("/health") == {"status": "ok"}
    props = server.ok("/props")
    assert props["total_slots"] == 4 and props["default_generation_settings"]["params"]["top_k"] == 40
    assert props["default_generation_settings"]["params"]["n_predict"] == -1 and props["modalities"]["vision"] is False
    assert props["eos_token"] and props["endpoint_metrics"] is True and props["endpoint_slots"] is True
    assert len(server.ok("/slots")) == len(server.ok("/slots?fail_on_no_slot=1")) == 4
    server.ok("/v1/completions", {"prompt": "A", "max_tokens": 2})
    metrics = server.ok("/metrics")
    values = dict(line.split() for line in metrics.splitlines() if not line.startswith("#"))
    assert float(values["llamacpp:tokens_predicted_total"]) > 0
    assert {"llamacpp:prompt_tokens_total", "llamacpp:requests_processing", "llamacpp:n_decode_total"} <= values.keys()


REPETITION = "The dog saw the fox. The fox ran. " * 4 + "The dog"


@pytest.mark.parametrize("source", ["n-grams", "model", "both"])
def test_guesses_change_no_answer(plm, server, bundled_model, source):
    """The module's server answers without guesses."""
    model = ["-md", bundled_model]
    flags = {
        "n-grams": ["--spec-type", "ngram-simple", "--spec-ngram-simple-size-n", 2],
        "model": model,
        "both": ["--spec-type", "ngram-simple,draft-simple", *model],
    }[source]
    bodies = [
        {"prompt": REPETITION, "max_tokens": 60, "temperature": 0, "logprobs": 3},
        {"prompt": "Once upon a time", "max_tokens": 60, "temperature": 1, "seed": 3, "stop": ["fox", " said"]},
        {"prompt": "There was", "max_tokens": 30, "temperature": 0, "regex": "( [a-z]+){1,12}\\."},
        {"prompt": "One day", "max_tokens": 40, "n": 4, "temperature": 1.2, "seed": 9, "repeat_penalty": 1.2},
    ]
    with Server(plm, "-np", 2, "--metrics", *flags) as guessing:
        for body in bodies:
            body = {**body, "cache_prompt": False}
            alone, guessed = server.ok("/v1/completions", body), guessing.ok("/v1/completions", body)
            assert guessed["choices"] == alone["choices"]
            assert "draft_n" not in alone["timings"]
        timings = guessing.ok("/v1/completions", bodies[0])["timings"]
        assert 0 < timings["draft_n_accepted"] <= timings["draft_n"]
        none = guessing.ok("/v1/completions", {**bodies[0], "speculative.n_max": 0})
        assert "draft_n" not in none["timings"]
        text = guessing.ok("/metrics")
        values = dict(line.split() for line in text.splitlines() if not line.startswith("#"))
        counts = [int(values[f"llamacpp:spec_decode_num_{name}_total"])
                  for name in ("drafts", "accepted_tokens", "draft_tokens")]
        assert 0 < counts[0] and timings["draft_n_accepted"] <= counts[1] <= counts[2]
        assert guessing.ok("/props")["default_generation_settings"]["params"]["speculative.n_max"] == 7
    for field, value in (("n_max", -1), ("n_min", 1.5), ("p_min", 2), ("n_max", "many")):
        status, reply, _ = server.ask("/v1/completions", {"prompt": "A", f"speculative.{field}": value})
        assert status == 400 and f"speculative.{field}" in reply["error"]["message"]


def test_the_activity_shows_what_a_plm_saves(server):
    server.ok("/v1/completions", {"prompt": "Once upon a time", "max_tokens": 20, "ignore_eos": True})
    seen = server.ok("/v1/plm/activity")
    neurons, cache = seen["neurons"], seen["cache"]
    assert seen["n_layers"] == len(neurons["live_share"]) == 8 and neurons["per_layer"] == 1024
    assert 1 <= neurons["n_tokens"] <= 16 * 8
    # The model's card: from 0.71 to 0.99 of the outputs are zero.
    assert all(0 < share < 0.6 for share in neurons["live_share"]), neurons
    assert max(neurons["live_share"]) == neurons["live_share"][0]
    # 4 heads of 64 + 64 numbers against 128 + 16.
    assert cache["is_latent"] and cache["expanded_bytes_per_token"] / cache["bytes_per_token"] == 512 / 144
    assert cache["bytes_per_token"] == server.ok("/props")["cache"]["bytes_per_token"]


def test_the_page_is_there_for_browsers_without_a_key(plm):
    with Server(plm, "--api-key", "secret") as locked:
        status, _, headers = locked.ask("/", headers={"Accept-Encoding": "gzip"}, method="HEAD")
        assert status == 200 and headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert locked.ask("/v1/plm/activity")[0] == 401
        before = locked.ok("/v1/plm/activity", headers={"Authorization": "Bearer secret"})["neurons"]
        assert before["live_share"] == [0] * 8 and before["n_tokens"] == 0
        assert locked.ask("/", headers={"Origin": "https://elsewhere.example"})[0] == 403
        assert locked.ask("/", {}, headers={"X-Api-Key": "secret"})[0] == 404


def test_no_text_of_a_client_is_logged(plm):
    with Server(plm) as server:
        server.ok("/v1/completions", {"prompt": "my secret words", "max_tokens": 2})
        server.ask("/secret-path", headers={"X-Secret": "secret"})
        server.stop()
    log = "".join(server.log)
    assert "path=/v1/completions status=200" in log and "path=(unknown) status=404" in log
    assert "secret" not in log


# Who may ask


def test_a_key_is_asked_for(plm, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("second-key\nthird-key\n")
    with Server(plm, "--api-key", "first-key", "--api-key-file", keys) as server:
        assert server.ask("/health")[0] == 200, "for those who watch it"
        for wrong in ({}, {"Authorization": "Bearer first-ke"}, {"Authorization": "Bearer first-keyy"},
                      {"Authorization": "first-key"}, {"Authorization": "Bearer "}, {"X-Api-Key": ""}):
            status, reply, _ = server.ask("/v1/models", headers=wrong)
            assert status == 401 and reply["error"]["type"] == "authentication_error"
        for key in ("first-key", "second-key", "third-key"):
            assert server.ask("/v1/models", headers={"Authorization": f"Bearer {key}"})[0] == 200
        assert server.ask("/v1/models", headers={"Authorization": "bearer first-key"})[0] == 200, "RFC 9110, 11.1"
        assert server.ask("/v1/models", headers={"X-Api-Key": "third-key"})[0] == 200
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=server.url + "/v1", api_key="no", max_retries=0).models.list()


def test_pages_of_others_are_kept_out(server, plm):
    ask = {"prompt": "A", "max_tokens": 1}
    assert server.ask("/v1/completions", ask, headers={"Host": "evil.example"})[0] == 403
    assert server.ask("/v1/completions", ask, headers={"Host": f"localhost:{server.port}"})[0] == 200
    assert server.ask("/v1/completions", ask, headers={"Origin": "http://evil.example"})[0] == 403
    assert server.ask("/v1/completions", ask, headers={"Origin": "null"})[0] == 403
    status, _, headers = server.ask("/v1/models", headers={"Origin": server.url})
    assert status == 200 and "Access-Control-Allow-Origin" not in headers
    assert server.ask("/v1/models", headers={"Origin": "http://evil.example"}, method="OPTIONS")[0] == 403
    with Server(plm, "--cors-origins", "https://friend.example") as friendly:
        status, _, headers = friendly.ask("/v1/models", headers={"Origin": "https://friend.example"})
        assert status == 200 and headers["Access-Control-Allow-Origin"] == "https://friend.example"
        status, _, headers = friendly.ask(
            "/v1/completions", headers={"Origin": "https://friend.example"}, method="OPTIONS"
        )
        assert status == 204 and "POST" in headers["Access-Control-Allow-Methods"]
        assert "Authorization" in headers["Access-Control-Allow-Headers"]
        asks = {"Origin": "https://friend.example", "Access-Control-Request-Headers": "x-stainless-os,anthropic-version"}
        _, _, headers = friendly.ask("/v1/messages", headers=asks, method="OPTIONS")
        assert headers["Access-Control-Allow-Headers"] == "x-stainless-os,anthropic-version", "what clients in browsers send"
        assert friendly.ask("/v1/models", headers={"Origin": "https://other.example"})[0] == 403


def test_tls_is_served(plm, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode != 0:
        pytest.skip("the program openssl is not there")
    with Server(plm, "--ssl-key-file", key, "--ssl-cert-file", certificate, scheme="https") as server:
        context = ssl.create_default_context(cafile=str(certificate))
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                reply = b"".join(iter(lambda: connection.recv(4096), b""))
        assert reply.startswith(b"HTTP/1.1 200")
        plain_text = server.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not plain_text.startswith(b"HTTP/") and server.process.poll() is None
    wrong = plm.run("serve", "--port", 0, "--ssl-key-file", certificate, "--ssl-cert-file", key)
    assert wrong.returncode == 1 and b"PEM" in wrong.stderr


# What strangers send


BAD_BODIES = [
    b"", b"{", b"[]", b"null", b'"text"', b"{}", b"\x00\xff\xfe", b'{"prompt": "\xff"}',
    b'{"prompt": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"a":' * 100000,
    b'{"prompt": 5}', b'{"prompt": {}}', b'{"prompt": []}', b'{"prompt": [[]]}', b'{"prompt": [null]}',
    b'{"prompt": [1, "a"]}', b'{"prompt": ["a", 1]}', b'{"prompt": [-1]}', b'{"prompt": [99999999999999999999]}',
    b'{"prompt": [1.5]}', b'{"prompt": [[1], [1e99]]}',
    b'{"prompt": "a", "n": 1000000}', b'{"prompt": "a", "n": 0}', b'{"prompt": "a", "n": -1}', b'{"prompt": "a", "n": "1"}',
    b'{"prompt": "a", "max_tokens": -5}', b'{"prompt": "a", "max_tokens": 1e999}', b'{"prompt": "a", "max_tokens": 1.5}',
    b'{"prompt": "a", "max_tokens": 99999999999}', b'{"prompt": "a", "max_tokens": "ten"}',
    b'{"prompt": "a", "temperature": NaN}', b'{"prompt": "a", "temperature": 1e999}', b'{"prompt": "a", "temperature": -1}',
    b'{"prompt": "a", "temperature": "hot"}', b'{"prompt": "a", "temperature": {}}', b'{"prompt": "a", "top_p": 2}',
    b'{"prompt": "a", "top_k": 1e30}', b'{"prompt": "a", "repeat_penalty": 0}', b'{"prompt": "a", "mirostat": 1}',
    b'{"prompt": "a", "repeat_last_n": -2147483649}', b'{"prompt": "a", "dry_allowed_length": -1}',
    b'{"prompt": "a", "seed": 1e30}', b'{"prompt": "a", "seed": "x"}', b'{"prompt": "a", "stop": 5}',
    b'{"prompt": "a", "stop": [1]}', b'{"prompt": "a", "stop": ' + json.dumps(["x"] * 1000).encode() + b"}",
    b'{"prompt": "a", "stop": "' + b"x" * 5000 + b'"}', b'{"prompt": "a", "logit_bias": 5}',
    b'{"prompt": "a", "logit_bias": {"x": 1}}', b'{"prompt": "a", "logit_bias": {"99999999": 1}}',
    b'{"prompt": "a", "logit_bias": {"1": "x"}}', b'{"prompt": "a", "logit_bias": [[1]]}', b'{"prompt": "a", "logit_bias": [5]}',
    b'{"prompt": "a", "logit_bias": [[18446744073709551615, 1]]}', b'{"prompt": "a", "logprobs": 1000}',
    b'{"prompt": "a", "logprobs": true}', b'{"prompt": "a", "stream": "yes"}', b'{"prompt": "a", "stream_options": 1}',
    b'{"prompt": "a", "stream_options": {"include_usage": 1}}', b'{"prompt": "a", "samplers": [1]}',
    b'{"prompt": "a", "samplers": ["nonsense"]}', b'{"prompt": "a", "samplers": "Q"}', b'{"prompt": "a", "best_of": 5}',
    b'{"prompt": "a", "suffix": "b"}', b'{"prompt": "a", "echo": 1}', b'{"prompt": "' + b"long " * 5000 + b'"}',
    b'{"messages": 5}', b'{"messages": []}', b'{"messages": [5]}', b'{"messages": [{}]}', b'{"messages": [{"role": "user"}]}',
    b'{"messages": [{"role": 5, "content": "x"}]}', b'{"messages": [{"role": "king", "content": "x"}]}',
    b'{"messages": [{"role": "user", "content": 5}]}', b'{"messages": [{"role": "user", "content": [5]}]}',
    b'{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}',
    b'{"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}',
    b'{"messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function"}]}',
    b'{"messages": [{"role": "user", "content": "x"}], "tools": 5}',
    b'{"messages": [{"role": "user", "content": "x"}], "chat_template_kwargs": 5}',
    b'{"messages": [{"role": "user", "content": "x"}], "add_generation_prompt": 5}',
    b'{"messages": [{"role": "assistant", "tool_calls": 5}]}', b'{"messages": [{"role": "assistant", "tool_calls": [{}]}]}',
    b'{"messages": [{"role": "user", "content": "x"}], "response_format": 5}',
    b'{"messages": [{"role": "user", "content": "x"}], "top_logprobs": -1}',
    b'{"input": 5}', b'{"input": []}', b'{"input": [[]]}', b'{"input": "a", "dimensions": 3}', b'{"input": "a", "encoding_format": "x"}',
    b'{"tokens": 5}', b'{"tokens": [-1]}', b'{"tokens": ["x"]}', b'{"content": 5}', b'{"content": "a", "add_special": 1}',
]  # fmt: skip


def test_no_bad_body_is_more_than_an_error_of_its_sender(server):
    paths = ["/v1/completions", "/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings", "/tokenize", "/detokenize", "/apply-template"]
    for body in BAD_BODIES:
        for path in paths:
            status, reply, _ = server.ask(path, body)
            if status == 200:  # a field that another endpoint does not know
                continue
            assert status in (400, 501), (path, body[:80], status)
            error = reply["error"]
            assert error["message"] and error["type"] and error["code"] == status, (path, body[:80])
    assert server.is_alive()


def test_paths_and_methods_that_are_not_there(server):
    assert server.ask("/nothing")[0] == 404
    assert server.ask("/v1/completions")[0] == 405
    assert server.ask("/v1/models", {"a": 1})[0] == 405
    assert server.ask("/../../etc/passwd")[0] == 404
    assert server.ask("/%2e%2e/%00")[0] == 400
    assert server.raw(b"HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").endswith(b"\r\n\r\n")


HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
BAD_HEADS = {
    b"\x00\x01\x02\r\n\r\n": 400,
    b"GET\r\n\r\n": 400,
    b"GET / HTTP/9.9\r\n\r\n": 505,
    b"GET / HTTP/1.1\r\n\r\n": 400,  # no Host
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n": 400,
    b"GET /health HTTP/1.1\nHost: localhost\n\r\n\r\n": 400,
    b"GET /health HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n": 400,
    b"GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n": 400,
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: \x01\r\n\r\n": 400,
    b"GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n": 400,
    b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 500 + b"\r\n": 431,
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n": 431,
    HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef": 400,
    HEAD + b"Content-Length: -1\r\n\r\n": 400,
    HEAD + b"Content-Length: 99999999999999999999\r\n\r\n": 400,
    HEAD + b"Content-Length: 9999999999\r\n\r\n": 413,
    HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": 400,
    HEAD + b"Transfer-Encoding: gzip\r\n\r\n": 501,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n": 400,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n": 413,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n": 400,
    HEAD + b"Expect: a-miracle\r\n\r\n": 417,
    HEAD + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n": 400,
}


def test_no_bad_head_is_more_than_an_error_of_its_sender(server):
    for head, status in BAD_HEADS.items():
        reply = server.raw(head)
        assert reply.startswith(b"HTTP/1.1 %d " % status), (head[:80], reply[:80])
    for part in (b"", b"GET", b"GET / HTTP/1.1\r\nHost", HEAD + b"Content-Length: 100\r\n\r\n{"):
        reply = server.raw(part, shutdown=True)
        assert reply == b"" or reply.startswith(b"HTTP/1.1 400"), part
    assert server.is_alive()


def test_a_chunked_body_and_pipelined_requests_are_read(server):
    body = b'{"content": "Once"}'
    chunked = b"%x;name=value\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (5, body[:5], len(body) - 5, body[5:])
    reply = server.raw(
        b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked
        + b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )  # fmt: skip
    assert b'"tokens"' in reply
    asked = b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(asked % len(body))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert b"200 OK" in connection.recv(65536)
    old = server.raw(b"GET /health HTTP/1.0\r\n\r\n")
    assert old.startswith(b"HTTP/1.1 200") and b"Connection: close" in old
