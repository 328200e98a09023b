"""Ollama's own API under /api, by Ollama's own Python client."""

import datetime
import json
import re

import jsonschema
import pytest
from plm_server import WEATHER, Server

ollama = pytest.importorskip("ollama", reason="the ollama client is not installed")

# Short, for the bundled model's context is.
TEMPLATE = (
    "{% for t in tools or [] %}{{ t.function.name }} {% endfor %}{% for m in messages %}{{ m.role }}: {{ m.content }}"
    "{% for c in m.tool_calls or [] %}{{ c.function.name }} {{ c.function.arguments.place }}{% endfor %}\n{% endfor %}"
)
QUESTION = {"role": "user", "content": "Tell me of a dog."}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "of a place", "parameters": WEATHER}}]
GREEDY = {"temperature": 0, "num_predict": 12, "seed": 5}


@pytest.fixture(scope="module")
def server(plm):
    with Server(plm, "-np", 2, "-a", "story") as running:
        yield running
        assert running.is_alive()


@pytest.fixture(scope="module")
def client(server):
    with ollama.Client(host=server.url, timeout=120) as made:
        yield made


def check_counts(reply, n_answer):
    assert reply.eval_count == n_answer and reply.prompt_eval_count > 0
    assert reply.total_duration >= reply.eval_duration > 0 and reply.prompt_eval_duration > 0
    datetime.datetime.fromisoformat(reply.created_at.replace("Z", "+00:00"))


def test_generate_answers_as_a_chat_does(server, client):
    reply = client.generate(model="story", prompt="Tell me of a dog.", system="Be kind.", options=GREEDY)
    messages = [{"role": "system", "content": "Be kind."}, QUESTION]
    openais = server.ok("/v1/chat/completions", {"messages": messages, "max_tokens": 12, "temperature": 0, "seed": 5})
    assert reply.response == openais["choices"][0]["message"]["content"]
    assert reply.done and reply.done_reason == "length" and reply.model == "story:latest"
    assert reply.prompt_eval_count == openais["usage"]["prompt_tokens"]
    check_counts(reply, 12)
    chat = client.chat(model="story", messages=messages, options=GREEDY)
    assert chat.message.role == "assistant" and chat.message.content == reply.response
    assert chat.done_reason == "length" and not chat.message.tool_calls
    check_counts(chat, 12)


def test_a_raw_prompt_is_taken_as_it_stands(server, client):
    reply = client.generate(model="story", prompt="Once upon a time", raw=True, options=GREEDY)
    openais = server.ok("/v1/completions", {"prompt": "Once upon a time", "max_tokens": 12, "temperature": 0, "seed": 5})
    assert reply.response == openais["choices"][0]["text"]
    word = reply.response[6:9]
    stopped = client.generate(model="story", prompt="Once upon a time", raw=True, options=GREEDY | {"stop": [word]})
    assert (stopped.response, stopped.done_reason) == (reply.response[:6], "stop")


def test_a_stream_is_the_same_text_in_lines(server, client):
    whole = client.generate(model="story", prompt="A fox", options=GREEDY)
    parts = list(client.generate(model="story", prompt="A fox", options=GREEDY, stream=True))
    assert "".join(part.response for part in parts) == whole.response and len(parts) > 5
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].context == whole.context and parts[-1].done_reason == whole.done_reason
    check_counts(parts[-1], 12)
    chat = list(client.chat(model="story", messages=[{"role": "user", "content": "A fox"}], options=GREEDY, stream=True))
    assert "".join(part.message.content for part in chat) == whole.response
    assert chat[-1].done and chat[-1].message.role == "assistant"
    # Who says nothing gets a stream.
    status, text, headers = server.ask("/api/generate", {"prompt": "A fox", "options": GREEDY})
    assert status == 200 and headers["Content-Type"].startswith("application/x-ndjson")
    assert "".join(json.loads(line)["response"] for line in text.splitlines()) == whole.response


def test_a_context_goes_on_where_it_ended(server, client):
    first = client.generate(model="story", prompt="Tell me of a dog.", options=GREEDY)
    assert len(first.context) == first.prompt_eval_count + first.eval_count
    second = client.generate(model="story", prompt="And then?", context=first.context, options=GREEDY)
    assert second.context[: len(first.context)] == first.context
    assert second.prompt_eval_count > len(first.context)
    assert len(second.context) == second.prompt_eval_count + second.eval_count
    status, reply, _ = server.ask("/api/generate", {"prompt": "long " * 5000, "context": first.context})
    assert status == 400 and "more than 512 tokens" in reply["error"], reply


def test_log_probabilities_are_those_of_the_chat(server, client):
    reply = client.chat(model="story", messages=[QUESTION], options=GREEDY, logprobs=True, top_logprobs=2)
    openais = server.ok(
        "/v1/chat/completions",
        {"messages": [QUESTION], "max_tokens": 12, "temperature": 0, "seed": 5, "logprobs": True, "top_logprobs": 2},
    )
    told = openais["choices"][0]["logprobs"]["content"]
    assert [(one.token, one.logprob) for one in reply.logprobs] == [(one["token"], one["logprob"]) for one in told]
    assert all(len(one.top_logprobs) == 2 for one in reply.logprobs)
    parts = list(client.generate(model="story", prompt=QUESTION["content"], options=GREEDY, logprobs=True, stream=True))
    assert [one.token for part in parts for one in part.logprobs or []] == [one["token"] for one in told]


def test_the_answer_keeps_to_a_format(client):
    options = {"num_predict": 150, "seed": 5}
    reply = client.chat(model="story", messages=[QUESTION], format=WEATHER, options=options)
    jsonschema.validate(json.loads(reply.message.content), WEATHER)
    reply = client.generate(model="story", prompt="A fox", format=WEATHER, options=options)
    jsonschema.validate(json.loads(reply.response), WEATHER)
    begun = client.generate(model="story", prompt="A fox", format="json", options=GREEDY)
    assert begun.response.lstrip().startswith("{")
    with pytest.raises(ollama.ResponseError) as error:
        client.generate(model="story", prompt="A fox", format={"type": "nonsense"}, options=GREEDY)
    assert error.value.status_code == 400 and "nonsense" in error.value.error


def test_tools_are_called_with_arguments_as_an_object(plm, tmp_path):
    (tmp_path / "t.jinja").write_text(TEMPLATE)
    call = {"function": {"name": "weather", "arguments": {"place": "Rome"}}}
    messages = [QUESTION, {"role": "assistant", "content": "", "tool_calls": [call]},
                {"role": "tool", "tool_name": "weather", "content": "Rain."}]  # fmt: skip
    with Server(plm, "--chat-template-file", tmp_path / "t.jinja") as server:
        with ollama.Client(host=server.url, timeout=120) as client:
            assert "tools" in client.show("story").capabilities
            free = client.chat(model="story", messages=messages, tools=TOOLS, options=GREEDY)
            assert free.message.content and not free.message.tool_calls, "this model was taught no calls"
        # Which Ollama has no field for.
        asked = {"messages": messages, "tools": TOOLS, "tool_choice": "required", "options": {"num_predict": 100, "seed": 5}}
        whole = ollama.ChatResponse(**server.ok("/api/chat", asked | {"stream": False}))
        lines = server.ok("/api/chat", asked).splitlines()
    parts = [ollama.ChatResponse(**json.loads(line)) for line in lines]
    (streamed,) = [one for part in parts for one in part.message.tool_calls or []]
    (called,) = whole.message.tool_calls
    assert called.function.name == streamed.function.name == "weather"
    jsonschema.validate(called.function.arguments, WEATHER)
    assert called.function.arguments == streamed.function.arguments
    assert whole.message.content == "" and whole.done_reason == "stop" and parts[-1].done


def test_embeddings_have_both_forms(server, client):
    texts = ["The dog", "A fox and a hen"]
    reply = client.embed(model="story", input=texts)
    openais = server.ok("/v1/embeddings", {"input": texts})
    assert [list(row) for row in reply.embeddings] == [one["embedding"] for one in openais["data"]]
    assert reply.prompt_eval_count == openais["usage"]["prompt_tokens"]
    assert list(client.embed(model="story", input=texts[0]).embeddings[0]) == pytest.approx(list(reply.embeddings[0]))
    short = client.embed(model="story", input=texts[0], dimensions=8).embeddings[0]
    assert len(short) == 8 and sum(number * number for number in short) == pytest.approx(1, abs=1e-5)
    assert client.embed(model="story", input="").embeddings == []
    older = list(client.embeddings(model="story", prompt=texts[0]).embedding)
    length = sum(number * number for number in older) ** 0.5
    assert [number / length for number in older] == pytest.approx(list(reply.embeddings[0]), abs=1e-5)
    assert client.embeddings(model="story", prompt="").embedding == []


def test_a_text_to_embed_is_cut_unless_that_is_forbidden(client):
    long = "The dog ran. " * 200
    assert client.embed(model="story", input=long).prompt_eval_count == 256
    # Nor is any text lost behind one that is much too long.
    texts = [long, "A fox", long * 20, "A hen"]
    rows = client.embed(model="story", input=texts).embeddings
    alone = [client.embed(model="story", input=text).embeddings[0] for text in texts]
    assert [list(row) for row in rows] == [pytest.approx(list(one), abs=1e-4) for one in alone]
    with pytest.raises(ollama.ResponseError) as error:
        client.embed(model="story", input=long, truncate=False)
    assert error.value.status_code == 400 and "256" in error.value.error


def test_the_model_is_listed_shown_and_running(server, client, bundled_model):
    (listed,) = client.list().models
    assert listed.model == "story:latest" and listed.size == bundled_model.stat().st_size
    assert listed.details.family == "plm" and listed.details.format == "gguf"
    assert (listed.details.parameter_size, listed.details.quantization_level) == ("7.1M", "F16")
    assert listed.modified_at.timestamp() == pytest.approx(bundled_model.stat().st_mtime, abs=1)
    assert client.list().models[0].digest == listed.digest
    (running,) = client.ps().models
    assert running.model == listed.model and running.digest == listed.digest and running.context_length == 256
    assert running.expires_at > datetime.datetime.now(datetime.timezone.utc)
    shown = client.show("story:latest")
    assert shown.modelinfo["plm.context_length"] == 256 and shown.modelinfo["tokenizer.ggml.tokens"] is None
    assert shown.modelinfo["general.architecture"] == "plm" and shown.template == server.ok("/props")["chat_template"]
    assert {"completion", "embedding"} <= set(shown.capabilities) and "tools" not in shown.capabilities
    assert "temperature" in shown.parameters
    verbose = server.ok("/api/show", {"model": "any", "verbose": True})
    assert len(verbose["model_info"]["tokenizer.ggml.tokens"]) == 4096
    assert [int(part) for part in server.ok("/api/version")["version"].split(".")]


def test_who_asks_for_no_answer_is_told_that_the_model_is_there(client):
    assert client.generate(model="story").done_reason == "load"
    assert client.generate(model="story", keep_alive="5m").done_reason == "load"
    assert client.generate(model="story", keep_alive=0).done_reason == "unload"
    reply = client.chat(model="story", messages=[])
    assert reply.done and reply.done_reason == "load" and reply.message.content == ""
    assert client.chat(model="story", messages=[QUESTION], options=GREEDY, think=False, keep_alive=-1).message.content


def test_models_are_not_managed_here(server, client):
    for manage in (
        lambda: client.pull("other"),
        lambda: client.push("other"),
        lambda: client.create("other", from_="story"),
        lambda: client.copy("story", "other"),
        lambda: client.delete("story"),
    ):
        with pytest.raises(ollama.ResponseError) as error:
            manage()
        assert error.value.status_code == 501 and "plm serve -m" in error.value.error
    for method, body in (("GET", None), ("POST", b"\x00\xff no JSON")):
        assert server.ask("/api/blobs/sha256:abc", body, method=method)[0] == 501


BAD_BODIES = [
    b"", b"{", b"[]", b'{"prompt": 5, "messages": 5, "input": 5}', b'{"options": 5}', b'{"options": {"temperature": "hot"}}',
    b'{"keep_alive": {}}', b'{"options": {"num_predict": 1.5}}',
]  # fmt: skip
BAD_PROMPTS = [
    {"stream": 5}, {"format": "xml"}, {"format": []}, {"think": "deep"}, {"raw": True, "system": "a"}, {"template": "a"},
    {"suffix": "a"}, {"images": ["aGk="]}, {"context": [-1]}, {"context": ["a"]}, {"context": 5}, {"options": {"top_p": 2}},
    {"logprobs": 5}, {"top_logprobs": 21}, {"prompt": "long " * 5000}, {"options": {"mirostat": 1}},
]  # fmt: skip


def test_errors_have_ollamas_form(server, client):
    for body in BAD_BODIES:
        for path in ("/api/generate", "/api/chat", "/api/embed", "/api/embeddings"):
            if b'"options": {' in body and "embed" in path:
                continue  # of which they need none
            status, reply, _ = server.ask(path, body)
            assert status == 400 and reply.keys() == {"error"} and reply["error"], (path, body, status, reply)
    for more in BAD_PROMPTS:
        status, reply, _ = server.ask("/api/generate", {"prompt": "a"} | more)
        assert status == 400 and isinstance(reply["error"], str), (more, status, reply)
    for message in ({"role": "king", "content": "a"}, {"role": "user"}, 5, {"role": "user", "content": "a", "images": ["aGk="]}):
        status, reply, _ = server.ask("/api/chat", {"messages": [message]})
        assert status == 400 and isinstance(reply["error"], str), (message, status, reply)
    with pytest.raises(ollama.ResponseError, match="template knows of none"):
        client.chat(model="story", messages=[QUESTION], tools=TOOLS)
    assert server.ask("/api/nothing")[:2] == (404, {"error": "there is nothing under this path"})
    status, reply, headers = server.ask("/api/chat")
    assert status == 405 and headers["Allow"] == "POST" and isinstance(reply["error"], str)


def test_a_key_is_asked_for_as_everywhere(plm, monkeypatch):
    with Server(plm, "--api-key", "SECRET") as server:
        status, reply, _ = server.ask("/api/tags")
        assert status == 401 and isinstance(reply["error"], str)
        monkeypatch.setenv("OLLAMA_API_KEY", "SECRET")
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        with ollama.Client() as client:
            assert client.generate(model="any:tag", prompt="A", options=GREEDY).response
        status, reply, _ = server.ask("/api/tags", headers={"Authorization": "Bearer SECRET", "Origin": "https://evil.example"})
        assert status == 403 and isinstance(reply["error"], str)


def test_who_leaves_a_stream_frees_its_slot(plm):
    long = {"const": "Once upon a time. " * 700}
    with Server(plm, "-np", 1, "-c", 4096, "--metrics") as server, ollama.Client(host=server.url, timeout=120) as client:
        stream = client.generate(model="story", prompt="Once", format=long, stream=True)
        assert not next(stream).done
        stream.close()
        assert client.generate(model="story", prompt="A fox", options=GREEDY).done
        written = re.search(r"^llamacpp:tokens_predicted_total (\d+)", server.ok("/metrics"), re.MULTILINE)
        assert int(written[1]) < 3000, "nobody waited until the context was full"
