// A server that says what a test wants: the page's own files, and scripted answers.
import { createServer } from "node:http";
import { readArchive } from "./archive.mjs";

const files = readArchive(new URL("../../dist/page.archive", import.meta.url));
// As in src/server/page.cpp; test_page.py holds the two together.
export const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class FakeServer {
  /** What to answer with: a text, or a function of the request's body that returns one. */
  answer = "Hello.";
  /** Milliseconds between two words. */
  pace = 0;
  /** Resolved answers wait for this before their last word. */
  gate = Promise.resolve();
  apiKey = "";
  hasTemplate = true;
  contextLength = 4096;
  requests = [];
  aborted = 0;
  port = 0;

  async start(port = 0) {
    this.server = createServer((request, response) => void this.#handle(request, response));
    await new Promise((resolve) => this.server.listen(port, "127.0.0.1", resolve));
    this.port = this.server.address().port;
    return this;
  }

  /** Breaks every connection. */
  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async #handle(request, response) {
    const path = new URL(request.url, this.url).pathname;
    const file = files.find((one) => one.path === path);
    if (file) return this.#sendFile(file, response);
    if (path === "/health") return this.#send(response, 200, { status: "ok" });
    if (this.apiKey !== "" && request.headers.authorization !== `Bearer ${this.apiKey}`) {
      return this.#send(response, 401, { error: { message: "the API key is missing or wrong" } });
    }
    if (path === "/props") return this.#send(response, 200, this.#properties());
    if (path === "/v1/plm/activity") return this.#send(response, 200, this.#activity());
    if (request.method !== "POST") return this.#send(response, 404, { error: { message: "nothing here" } });
    let text = "";
    for await (const part of request) text += part;
    await this.#stream(path, JSON.parse(text), response);
  }

  #send(response, status, json) {
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(json));
  }

  #sendFile(file, response) {
    response.writeHead(200, {
      "Content-Type": file.type,
      "Content-Security-Policy": policy,
      ...(file.is_gzip ? { "Content-Encoding": "gzip" } : {}),
    });
    response.end(file.content);
  }

  #properties() {
    return {
      model_alias: "plm-1.8b-instruct-q4_0",
      chat_template: this.hasTemplate ? "{{ messages }}" : "",
      default_generation_settings: {
        n_ctx: this.contextLength,
        params: { temperature: 0.8, top_k: 40, top_p: 0.95, min_p: 0.05, typical_p: 1, repeat_last_n: 64, repeat_penalty: 1 },
      },
    };
  }

  #activity() {
    const share = (layer) => 0.05 + 0.25 * Math.abs(Math.sin(layer * 1.7 + Date.now() / 900)) * (layer < 4 ? 1.6 : 0.5);
    return {
      n_layers: 24,
      neurons: { per_layer: 8192, n_tokens: 16, live_share: Array.from({ length: 24 }, (_, layer) => share(layer)) },
      cache: { is_latent: true, type: "f16", bytes_per_token: 36864, expanded_bytes_per_token: 327680 },
    };
  }

  async #stream(path, body, response) {
    this.requests.push({ path, body });
    const answer = typeof this.answer === "function" ? this.answer(body) : this.answer;
    if (typeof answer === "object") return this.#send(response, answer.status, answer.json);
    let isGone = false;
    response.on("close", () => {
      isGone = true;
      if (!response.writableEnded) this.aborted += 1;
    });
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    const event = (data) => response.write(`data: ${data}\n\n`);
    const isChat = path === "/v1/chat/completions";
    const choice = (text, finish_reason = null) =>
      event(JSON.stringify({ choices: [isChat ? { delta: { content: text }, finish_reason } : { text, finish_reason }] }));
    const words = answer.match(/\s*\S+\s*$|\s*\S+/g) ?? [];
    for (const [index, word] of words.entries()) {
      if (index === words.length - 1) await this.gate;
      if (this.pace > 0) await pause(this.pace);
      if (isGone) return;
      choice(word);
    }
    choice("", "stop");
    event(
      JSON.stringify({
        choices: [],
        usage: { prompt_tokens: 40, completion_tokens: words.length, prompt_tokens_details: { cached_tokens: 24 } },
        timings: { prompt_per_second: 410, predicted_per_second: 23.4 },
      }),
    );
    event("[DONE]");
    response.end();
  }
}
