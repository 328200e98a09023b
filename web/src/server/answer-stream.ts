// An answer as it is written: the server's events, as text and, at the end, numbers.
import { EventSourceParserStream } from "eventsource-parser/stream";
import { continuedText, type Prompt } from "../model/prompt";
import type { Sampling, Stats } from "../model/types";
import { ask, ServerError } from "./client";

export type AnswerEvent =
  | { kind: "text"; text: string }
  | { kind: "end"; reachedLimit: boolean }
  | { kind: "stats"; stats: Stats };

interface Chunk {
  choices?: { delta?: { content?: string }; text?: string; finish_reason?: string | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number; prompt_tokens_details?: { cached_tokens?: number } };
  timings?: { prompt_per_second?: number; predicted_per_second?: number };
  error?: { message?: string; code?: number };
}

/** What one event of the server says. */
export function readChunk(data: string): AnswerEvent[] {
  if (data === "[DONE]") return [];
  const chunk = JSON.parse(data) as Chunk;
  if (chunk.error) throw new ServerError(chunk.error.code ?? 500, chunk.error.message ?? "The server gave up.");
  const events: AnswerEvent[] = [];
  const choice = chunk.choices?.[0];
  const text = choice?.delta?.content ?? choice?.text ?? "";
  if (text !== "") events.push({ kind: "text", text });
  if (choice?.finish_reason) events.push({ kind: "end", reachedLimit: choice.finish_reason === "length" });
  if (chunk.usage) {
    events.push({
      kind: "stats",
      stats: {
        promptTokens: chunk.usage.prompt_tokens,
        cachedTokens: chunk.usage.prompt_tokens_details?.cached_tokens ?? 0,
        answerTokens: chunk.usage.completion_tokens,
        promptPerSecond: chunk.timings?.prompt_per_second ?? 0,
        answerPerSecond: chunk.timings?.predicted_per_second ?? 0,
      },
    });
  }
  return events;
}

export function requestOf(prompt: Prompt, sampling: Sampling, model: string): { path: string; body: object } {
  const common = { model, stream: true, stream_options: { include_usage: true }, ...sampling };
  if (prompt.mode === "text") return { path: "/v1/completions", body: { ...common, prompt: continuedText(prompt) } };
  const system = prompt.system === "" ? [] : [{ role: "system", content: prompt.system }];
  return { path: "/v1/chat/completions", body: { ...common, messages: [...system, ...prompt.turns] } };
}

export async function* streamAnswer(
  prompt: Prompt,
  sampling: Sampling,
  model: string,
  signal: AbortSignal,
): AsyncGenerator<AnswerEvent> {
  const { path, body } = requestOf(prompt, sampling, model);
  const response = await ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.body) throw new ServerError(0, "The server sent nothing.");
  const reader = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()).getReader();
  let isWhole = false;
  try {
    for (;;) {
      const { value, done } = await reader.read().catch((error: unknown) => {
        if (signal.aborted) throw error;
        throw new ServerError(0, "The connection to the server broke.");
      });
      if (done) break;
      isWhole ||= value.data === "[DONE]";
      yield* readChunk(value.data);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
  if (!isWhole) throw new ServerError(0, "The connection to the server broke.");
}
