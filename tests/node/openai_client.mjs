// What OpenAI's npm client gets from the server whose address is the first argument. Prints how many checks held; the
// first that does not ends it.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const model = "story";
let checks = 0;
const check = (found, expected, what) => {
  assert.deepEqual(found, expected, what);
  checks += 1;
};

const models = await client.models.list();
check(models.data.map((one) => one.id), [model]);

// Completions, whole and in parts.
const ask = { model, prompt: "Once upon a time", max_tokens: 16, temperature: 0 };
const whole = await client.completions.create(ask);
check(whole.choices[0].finish_reason, "length");
check(whole.usage.completion_tokens, 16);
let text = "";
let usage = null;
for await (const part of await client.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } })) {
  text += part.choices[0]?.text ?? "";
  usage = part.usage ?? usage;
}
check(text, whole.choices[0].text);
check(usage.completion_tokens, 16);

// Chats, by the client's own collector of streams too.
const chat = { model, messages: [{ role: "user", content: "Tell me of a dog." }], max_tokens: 16, temperature: 0 };
const answer = await client.chat.completions.create({ ...chat, logprobs: true, top_logprobs: 2 });
check(answer.choices[0].message.role, "assistant");
check(answer.choices[0].logprobs.content.length, answer.usage.completion_tokens);
check(answer.choices[0].logprobs.content.every((token) => token.top_logprobs.length === 2), true);
const stream = client.chat.completions.stream(chat);
const deltas = [];
stream.on("content", (delta) => deltas.push(delta));
const collected = await stream.finalChatCompletion();
check(collected.choices[0].message.content, answer.choices[0].message.content);
check(deltas.join(""), answer.choices[0].message.content);

// Responses.
const request = { model, input: "Tell me of a dog.", max_output_tokens: 16, temperature: 0 };
const response = await client.responses.create(request);
check(response.output_text, answer.choices[0].message.content);
let written = "";
const kinds = [];
for await (const event of await client.responses.create({ ...request, stream: true })) {
  kinds.push(event.type);
  if (event.type === "response.output_text.delta") written += event.delta;
}
check(written, response.output_text);
check([kinds[0], kinds.at(-1)], ["response.created", `response.${response.status}`]);

// Embeddings: the client asks for base64 by itself.
const embedded = await client.embeddings.create({ model, input: ["The dog ran.", "A king."] });
check(embedded.data.length, 2);
for (const { embedding } of embedded.data) {
  check(Math.abs(Math.hypot(...embedding) - 1) < 1e-4, true, "of length 1");
}

// A stream that its reader leaves, and errors as the client's own kinds.
const left = await client.completions.create({ model, prompt: "Once", max_tokens: 200, stream: true });
for await (const part of left) {
  check(part.object, "text_completion");
  break;
}
await assert.rejects(client.completions.create({ ...ask, temperature: -1 }), OpenAI.BadRequestError);
await assert.rejects(client.chat.completions.create({ model, messages: [] }), OpenAI.BadRequestError);
await assert.rejects(client.post("/nothing"), OpenAI.NotFoundError);

console.log(JSON.stringify({ checks }));
