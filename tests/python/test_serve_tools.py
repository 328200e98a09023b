"""Tools called through /v1/responses and /v1/messages, by the clients of those who made these forms."""

import json

import jsonschema
import pytest
from plm_server import WEATHER, Server

openai = pytest.importorskip("openai", reason="the openai client is not installed")
anthropic = pytest.importorskip("anthropic", reason="the anthropic client is not installed")

# Short, for the bundled model's context is.
TEMPLATE = (
    "{% for t in tools or [] %}{{ t.function.name }} {% endfor %}{% for m in messages %}{{ m.role }}: {{ m.content }}"
    "{% for c in m.tool_calls or [] %}{{ c.function.name }} {{ c.function.arguments.place }}{% endfor %}\n{% endfor %}"
)
QUESTION = {"role": "user", "content": "How is the weather?"}
# What a model that was told of tools may write of its own accord.
TALK = r"""root ::= "Let me see.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"place\": \"Rome\", \"days\": 2}}\n</tool_call>\n<tool_call>\n{\"name\": \"time\"}\n</tool_call>" """
TALKED = [("weather", {"place": "Rome", "days": 2}), ("time", {})]


@pytest.fixture(scope="module")
def server(plm, tmp_path_factory):
    path = tmp_path_factory.mktemp("tools") / "t.jinja"
    path.write_text(TEMPLATE)
    with Server(plm, "-np", 2, "--chat-template-file", path) as running:
        yield running
        assert running.is_alive()


@pytest.fixture(scope="module")
def responses(server):
    with openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=120) as client:
        tools = [
            {"type": "function", "name": "weather", "description": "of a place", "parameters": WEATHER, "strict": True},
            {"type": "function", "name": "time", "parameters": {"type": "object"}, "strict": False},
        ]

        def ask(stream=False, seed=5, extra=None, **more):
            arguments = {"model": "story", "input": [QUESTION], "tools": tools, "max_output_tokens": 200} | more
            extra = {"seed": seed} | (extra or {})
            if not stream:
                return client.responses.create(**arguments, extra_body=extra)
            with client.responses.create(**arguments, extra_body=extra, stream=True) as events:
                return list(events)

        yield ask


@pytest.fixture(scope="module")
def messages(server):
    with anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0, timeout=120) as client:
        tools = [
            {"name": "weather", "description": "of a place", "input_schema": WEATHER},
            {"name": "time", "input_schema": {"type": "object"}},
        ]

        def ask(stream=False, seed=5, extra=None, **more):
            arguments = {"model": "story", "messages": [QUESTION], "tools": tools, "max_tokens": 200} | more
            extra = {"seed": seed} | (extra or {})
            if not stream:
                return client.messages.create(**arguments, extra_body=extra)
            with client.messages.stream(**arguments, extra_body=extra) as events:
                return list(events), events.get_final_message()

        ask.client, ask.tools = client, tools
        yield ask


def calls_of_response(response):
    return [(item.name, json.loads(item.arguments)) for item in response.output if item.type == "function_call"]


def calls_of_message(message):
    return [(block.name, block.input) for block in message.content if block.type == "tool_use"]


def test_a_response_calls_the_tool_it_must(responses):
    named = {"type": "function", "name": "weather"}
    response = responses(tool_choice=named)
    assert [item.type for item in response.output] == ["function_call"] and response.status == "completed"
    call = response.output[0]
    assert call.name == "weather" and call.call_id and call.status == "completed" and response.output_text == ""
    jsonschema.validate(json.loads(call.arguments), WEATHER)
    assert response.tools[0].name == "weather" and response.tool_choice.name == "weather"
    assert responses(tool_choice="required").output[0].name in ("weather", "time")

    events = responses(tool_choice=named, stream=True)
    assert [event.type for event in events] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.function_call_arguments.delta",
        "response.function_call_arguments.done", "response.output_item.done", "response.completed",
    ]  # fmt: skip
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[3].delta == events[4].arguments == call.arguments and events[3].item_id == events[5].item.id
    assert calls_of_response(events[-1].response) == calls_of_response(response)


def test_a_response_speaks_and_calls_tools_in_order(responses):
    response = responses(extra={"grammar": TALK})
    assert [item.type for item in response.output] == ["message", "function_call", "function_call"]
    assert response.output_text == "Let me see." and calls_of_response(response) == TALKED
    events = responses(extra={"grammar": TALK}, stream=True)
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Let me see."
    done = [event for event in events if event.type == "response.output_item.done"]
    assert [event.output_index for event in done] == [0, 1, 2]
    assert [event.item for event in done] == events[-1].response.output
    assert calls_of_response(events[-1].response) == TALKED
    without = responses(extra={"grammar": TALK}, tool_choice="none")
    assert [item.type for item in without.output] == ["message"] and "<tool_call>" in without.output_text


def test_one_call_alone_where_no_others_may_be_made(responses, messages, server):
    response = responses(extra={"grammar": TALK}, parallel_tool_calls=False)
    assert calls_of_response(response) == TALKED[:1] and response.output_text == "Let me see."
    message = messages(extra={"grammar": TALK}, tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert calls_of_message(message) == TALKED[:1] and message.stop_reason == "tool_use"
    tools = [{"type": "function", "function": {"name": name}} for name in ("weather", "time")]
    chat = {"messages": [QUESTION], "tools": tools, "grammar": TALK, "max_tokens": 200}
    choice = server.ok("/v1/chat/completions", chat | {"parallel_tool_calls": False})["choices"][0]
    assert len(choice["message"]["tool_calls"]) == 1 and choice["finish_reason"] == "tool_calls"
    assert len(server.ok("/v1/chat/completions", chat)["choices"][0]["message"]["tool_calls"]) == 2


def test_what_tools_said_goes_back_to_a_response(responses, server):
    first = responses(extra={"grammar": TALK})
    answers = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "sunny"}
        for item in first.output if item.type == "function_call"
    ]  # fmt: skip
    conversation = [QUESTION, *(item.to_dict() for item in first.output), *answers]
    again = responses(input=conversation, max_output_tokens=3)
    calls = [
        {"type": "function", "function": {"name": name, "arguments": arguments}} for name, arguments in TALKED
    ]
    chat = [QUESTION, {"role": "assistant", "content": "Let me see.", "tool_calls": calls}, *[{"role": "tool", "content": "sunny"}] * 2]
    tools = [{"type": "function", "function": {"name": name}} for name in ("weather", "time")]
    prompt = server.ok("/apply-template", {"messages": chat, "tools": tools})["prompt"]
    assert "weather Rome" in prompt and prompt.count("tool: sunny") == 2
    assert again.usage.input_tokens == len(server.ok("/tokenize", {"content": prompt, "add_special": True})["tokens"])


def test_a_response_is_parsed_into_the_type_asked_for(responses):
    pydantic = pytest.importorskip("pydantic")

    class Pet(pydantic.BaseModel):
        name: str = pydantic.Field(pattern="^[a-z]{1,8}$")
        age: int = pydantic.Field(ge=0, le=30)

    form = {"format": {"type": "json_schema", "name": "pet", "schema": Pet.model_json_schema(), "strict": True}}
    for stream in (False, True):
        response = responses(text=form, stream=stream)
        Pet.model_validate_json((response[-1].response if stream else response).output_text)


def test_a_message_calls_the_tool_it_must(messages):
    named = {"type": "tool", "name": "weather"}
    message = messages(tool_choice=named)
    assert [block.type for block in message.content] == ["tool_use"] and message.stop_reason == "tool_use"
    assert message.content[0].id and message.content[0].name == "weather"
    jsonschema.validate(message.content[0].input, WEATHER)
    assert messages(tool_choice={"type": "any"}).content[0].name in ("weather", "time")
    events, final = messages(tool_choice=named, stream=True)
    assert calls_of_message(final) == calls_of_message(message) and final.stop_reason == "tool_use"
    kinds = [event.type for event in events if event.type != "input_json"]
    assert kinds == ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"]


def test_a_message_speaks_and_calls_tools_in_order(messages):
    message = messages(extra={"grammar": TALK})
    assert [block.type for block in message.content] == ["text", "tool_use", "tool_use"]
    assert message.content[0].text == "Let me see." and calls_of_message(message) == TALKED
    _, final = messages(extra={"grammar": TALK}, stream=True)
    assert final.content[0].text == "Let me see." and calls_of_message(final) == TALKED
    without = messages(extra={"grammar": TALK}, tool_choice={"type": "none"})
    assert [block.type for block in without.content] == ["text"] and without.stop_reason == "end_turn"


def test_what_tools_said_goes_back_to_a_message(messages):
    first = messages(extra={"grammar": TALK})
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": [{"type": "text", "text": "sunny"}]}
        for block in first.content if block.type == "tool_use"
    ]  # fmt: skip
    conversation = [
        QUESTION,
        {"role": "assistant", "content": [block.to_dict() for block in first.content]},
        {"role": "user", "content": [*results, {"type": "text", "text": "So?"}]},
    ]
    again = messages(messages=conversation, max_tokens=3)
    counted = messages.client.messages.count_tokens(model="story", messages=conversation, tools=messages.tools)
    assert counted.input_tokens == again.usage.input_tokens + again.usage.cache_read_input_tokens
    fewer = messages.client.messages.count_tokens(model="story", messages=conversation)
    assert fewer.input_tokens < counted.input_tokens


def test_a_wrong_choice_is_the_askers_mistake(responses, messages):
    for wrong in ("sometimes", {"type": "function", "name": "nothing"}, {"type": "mcp", "server_label": "x"}):
        with pytest.raises(openai.BadRequestError):
            responses(tool_choice=wrong)
    for wrong in ({"type": "tool", "name": "nothing"}, {"type": "x"}):
        with pytest.raises(anthropic.BadRequestError):
            messages(tool_choice=wrong)
