"""/openapi.json is what the server keeps to: schemathesis asks by it, and no answer breaks it."""

import json
import subprocess
import sys

import pytest
from plm_server import Server

pytest.importorskip("schemathesis", reason="schemathesis is not installed")

# Of the checks two do not apply: every reply is its own, and nothing is deleted that could be asked for again.
RUN = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run"]
FLAGS = ["--checks", "all", "--continue-on-failure", "--generation-deterministic", "--suppress-health-check", "all",
         "--request-timeout", "60"]  # fmt: skip


# Of everything that a document can bring to it.
TEMPLATE = (
    "{% for t in tools or [] %}{{ t.function.name }} {% endfor %}{% for m in messages %}{{ m.role }}: {{ m.content }}"
    "{% for c in m.tool_calls or [] %}{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}\n{% endfor %}"
)


@pytest.fixture(scope="module")
def server(plm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract")
    (folder / "t.jinja").write_text(TEMPLATE)
    with Server(plm, "-np", 4, "-c", 512, "-n", 8, "--metrics", "--slot-save-path", folder, "--no-log-requests",
                "--chat-template-file", folder / "t.jinja") as running:  # fmt: skip
        yield running
        assert running.is_alive()


def schemathesis(tmp_path, location, *flags):
    done = subprocess.run([*RUN, str(location), *FLAGS, *map(str, flags)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def bounded(schema):
    """The same with less in it: what agrees with it agrees with the document, and fits a small context."""
    if isinstance(schema, list):
        return [bounded(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    small = {key: bounded(value) for key, value in schema.items()}
    if small.get("type") == "string" and "enum" not in small and "const" not in small and "pattern" not in small:
        small["maxLength"] = min(20, small.get("maxLength", 20))
    if small.get("type") == "array":
        small["maxItems"] = min(2, small.get("maxItems", 2))
    if small.get("type") == "object" and "additionalProperties" not in small:
        small["additionalProperties"] = False
    if "propertyNames" in small:
        small |= {"propertyNames": {"pattern": "^[1-9][0-9]{0,2}$"}, "maxProperties": 3}
    for name, most in (("n_predict", 4), ("max_tokens", 4), ("max_completion_tokens", 4), ("max_output_tokens", 4), ("num_predict", 4), ("n", 2)):
        if name in small.get("properties", {}):
            small["properties"][name] = {"type": "integer", "minimum": 1, "maximum": most}
            required = small.setdefault("required", [])
            if most == 4 and name not in required:
                required.append(name)
    return small


def without_what_cannot_be_said(name, schema):
    """No document can say what a grammar is, that two of them exclude each other, and that a tool to call must be there."""
    fields = schema.get("properties", {})
    for grammar in ("grammar", "regex", "json_schema"):
        if grammar in fields:
            fields[grammar] = {"type": "null"}
    if "tool_choice" in fields:
        of_messages = name in ("MessagesRequest", "CountRequest")
        fields["tool_choice"] = {"enum": [{"type": "auto"}, {"type": "none"}] if of_messages else ["auto", "none"]}
    return schema


def test_requests_by_the_document_are_answered_by_it(server, tmp_path):
    document = server.ok("/openapi.json")
    # A slot can only be restored from what was saved, which no document can say.
    del document["paths"]["/slots/{id}"]
    document["components"]["schemas"] = {
        name: without_what_cannot_be_said(name, bounded(schema)) if name.endswith("Request") or name == "Message" else schema
        for name, schema in document["components"]["schemas"].items()
    }
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    schemathesis(tmp_path, path, "--url", server.url, "--mode", "positive", "--phases", "coverage,fuzzing", "-n", 5)


def test_the_document_tells_of_tools_and_of_the_form_of_answers(server, plm):
    schemas = server.ok("/openapi.json")["components"]["schemas"]
    for name in ("ChatRequest", "ResponseRequest", "MessagesRequest", "CountRequest", "TemplateRequest"):
        fields = schemas[name]["properties"]
        assert {"tools", "tool_choice", "chat_template_kwargs"} <= fields.keys(), name
        assert fields["tools"]["anyOf"][0]["maxItems"] == 128
    for name in ("CompletionRequest", "ChatRequest", "ResponseRequest", "MessagesRequest"):
        assert {"grammar", "json_schema", "regex", "samplers", "temperature"} <= schemas[name]["properties"].keys(), name
    assert "response_format" in schemas["ChatRequest"]["properties"] and "text" in schemas["ResponseRequest"]["properties"]
    with Server(plm) as other:  # whose template knows of no tools
        fields = other.ok("/openapi.json")["components"]["schemas"]["ChatRequest"]["properties"]
        assert fields["tools"]["anyOf"][0]["maxItems"] == 0


def test_requests_against_the_document_are_refused_by_it(server, tmp_path):
    schemathesis(tmp_path, server.url + "/openapi.json", "--mode", "negative", "--phases", "coverage,fuzzing", "-n", 5)
