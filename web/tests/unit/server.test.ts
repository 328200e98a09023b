import { describe, expect, it } from "vitest";
import { promptOf } from "../../src/model/prompt";
import type { Message } from "../../src/model/types";
import { meanShare, readActivity } from "../../src/server/activity";
import { readChunk, requestOf } from "../../src/server/answer-stream";
import { readProperties } from "../../src/server/properties";

const question: Message = { id: "1", chat: "c", parent: null, role: "user", text: "Hi", created: 0, state: "done" };

describe("an event of the server", () => {
  it("is text, of a chat or of a completion", () => {
    expect(readChunk('{"choices":[{"delta":{"content":"a"},"finish_reason":null}]}')).toEqual([{ kind: "text", text: "a" }]);
    expect(readChunk('{"choices":[{"text":" b","finish_reason":null}]}')).toEqual([{ kind: "text", text: " b" }]);
    expect(readChunk('{"choices":[{"delta":{"role":"assistant","content":""}}]}')).toEqual([]);
  });

  it("is the end, and whether a limit was reached", () => {
    expect(readChunk('{"choices":[{"delta":{},"finish_reason":"stop"}]}')).toEqual([{ kind: "end", reachedLimit: false }]);
    expect(readChunk('{"choices":[{"text":"x","finish_reason":"length"}]}')).toEqual([
      { kind: "text", text: "x" },
      { kind: "end", reachedLimit: true },
    ]);
    expect(readChunk("[DONE]")).toEqual([]);
  });

  it("is numbers", () => {
    const data = {
      choices: [],
      usage: { prompt_tokens: 9, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 3 } },
      timings: { prompt_per_second: 100, predicted_per_second: 20 },
    };
    expect(readChunk(JSON.stringify(data))).toEqual([
      { kind: "stats", stats: { promptTokens: 9, cachedTokens: 3, answerTokens: 4, promptPerSecond: 100, answerPerSecond: 20 } },
    ]);
  });

  it("is an error", () => {
    expect(() => readChunk('{"error":{"code":503,"message":"the server is shutting down"}}')).toThrow("shutting down");
    expect(() => readChunk("no json")).toThrow();
  });
});

describe("a request", () => {
  it("holds the messages of a chat, and only the settings that were changed", () => {
    const { path, body } = requestOf(promptOf([question], "chat", "Be kind."), { temperature: 0 }, "m");
    expect(path).toBe("/v1/chat/completions");
    expect(body).toEqual({
      model: "m", stream: true, stream_options: { include_usage: true }, temperature: 0,
      messages: [{ role: "system", content: "Be kind." }, { role: "user", content: "Hi" }],
    });
  });

  it("holds one text where the model continues it", () => {
    const { path, body } = requestOf(promptOf([question], "text", ""), {}, "m");
    expect(path).toBe("/v1/completions");
    expect(body).toMatchObject({ prompt: "Hi", stream: true });
    expect(body).not.toHaveProperty("messages");
  });
});

describe("what the server says of itself", () => {
  it("is read from /props", () => {
    const json = {
      model_alias: "plm", chat_template: "{% %}",
      default_generation_settings: { n_ctx: 2048, params: { temperature: 0.800000011920929, top_k: 40, seed: -1, max_tokens: -1, other: 3 } },
    };
    expect(readProperties(json)).toEqual({ model: "plm", contextLength: 2048, defaults: { temperature: 0.8, top_k: 40 }, mode: "chat" });
  });

  it("makes a model without a template, or with a tiny context, continue texts", () => {
    expect(readProperties({ chat_template: "" }).mode).toBe("text");
    expect(readProperties({ chat_template: "x", default_generation_settings: { n_ctx: 256 } }).mode).toBe("text");
    expect(readProperties({})).toEqual({ model: "model", contextLength: 0, defaults: {}, mode: "chat" });
  });
});

describe("the view inside", () => {
  const cache = { is_latent: true, type: "bf16", bytes_per_token: 36, expanded_bytes_per_token: 320 };

  it("is read with the mean over layers", () => {
    const seen = readActivity({ n_layers: 2, neurons: { per_layer: 10, n_tokens: 4, live_share: [0.1, 0.3] }, cache });
    expect(meanShare(seen)).toBeCloseTo(0.2);
    expect(seen.cache).toEqual({ isLatent: true, type: "bf16", bytesPerToken: 36, expandedBytesPerToken: 320 });
  });

  it("has no neurons where the model has no squared ReLU", () => {
    expect(meanShare(readActivity({ n_layers: 2, neurons: null, cache }))).toBe(0);
  });
});
