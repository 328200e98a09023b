// What the server says of itself under /props and /v1/models.
import { samplingFields } from "../model/sampling";
import type { Mode, Sampling } from "../model/types";
import { askJson } from "./client";

export interface Properties {
  model: string;
  contextLength: number;
  defaults: Sampling;
  /** What suits the model. */
  mode: Mode;
}

/** A context shorter than this holds no conversation, whatever template its file names. */
const SHORT_CONTEXT = 512;

export function readProperties(json: unknown): Properties {
  const props = (json ?? {}) as {
    model_alias?: unknown;
    chat_template?: unknown;
    default_generation_settings?: { n_ctx?: unknown; params?: Record<string, unknown> };
  };
  const { n_ctx, params = {} } = props.default_generation_settings ?? {};
  const defaults: Sampling = {};
  for (const { key } of samplingFields) {
    const value = params[key];
    // A length or seed below zero means none.
    if (typeof value === "number" && !((key === "max_tokens" || key === "seed") && value < 0)) {
      defaults[key] = Number(value.toFixed(4));
    }
  }
  const continues = props.chat_template === "" || (typeof n_ctx === "number" && n_ctx < SHORT_CONTEXT);
  return {
    model: typeof props.model_alias === "string" ? props.model_alias : "model",
    contextLength: typeof n_ctx === "number" ? n_ctx : 0,
    defaults,
    mode: continues ? "text" : "chat",
  };
}

export async function askProperties(): Promise<Properties> {
  return readProperties(await askJson("/props"));
}
