// The settings of the sampler that the page offers, and what they may be.
import type { Sampling, SamplingKey } from "./types";

export interface SamplingField {
  key: SamplingKey;
  label: string;
  help: string;
  least: number;
  most: number;
  step: number;
  isWhole: boolean;
  isAdvanced: boolean;
  /** Shown where the server names no default. */
  unset: string;
}

const field = (
  key: SamplingKey,
  label: string,
  range: [least: number, most: number, step: number],
  help: string,
  more: Partial<Pick<SamplingField, "isAdvanced" | "unset">> = {},
): SamplingField => ({
  key,
  label,
  help,
  least: range[0],
  most: range[1],
  step: range[2],
  isWhole: Number.isInteger(range[2]),
  isAdvanced: more.isAdvanced ?? false,
  unset: more.unset ?? "default",
});

export const samplingFields: readonly SamplingField[] = [
  field("temperature", "Temperature", [0, 2, 0.05], "Higher is bolder, lower is steadier. 0 always takes the likeliest token."),
  field("top_p", "Top-p", [0, 1, 0.01], "Chooses among the likeliest tokens that together have this probability. 1: all."),
  field("top_k", "Top-k", [0, 200, 1], "Chooses among this many of the likeliest tokens. 0: all."),
  field("min_p", "Min-p", [0, 1, 0.01], "Leaves out tokens less likely than this share of the likeliest."),
  field("repeat_penalty", "Repeat penalty", [0.5, 2, 0.05], "Above 1: tokens that were used become less likely."),
  field("max_tokens", "Longest answer", [1, 8192, 1], "In tokens.", { unset: "no limit" }),
  field("typical_p", "Typical-p", [0, 1, 0.01], "Prefers tokens about as surprising as expected. 1: off.", { isAdvanced: true }),
  field("repeat_last_n", "Repeat window", [0, 1024, 1], "How many past tokens the penalties look at.", { isAdvanced: true }),
  field("presence_penalty", "Presence penalty", [-2, 2, 0.05], "Against tokens that occurred at all.", { isAdvanced: true }),
  field("frequency_penalty", "Frequency penalty", [-2, 2, 0.05], "Against tokens by how often they occurred.", { isAdvanced: true }),
  field("seed", "Seed", [0, 2147483647, 1], "The same seed and settings give the same answer.", { isAdvanced: true, unset: "random" }),
];

/** The nearest number that the field allows; undefined where there is none in the text. */
export function readNumber(spec: SamplingField, text: string): number | undefined {
  const value = Number(text.trim().replace(",", "."));
  if (text.trim() === "" || !Number.isFinite(value)) return undefined;
  const clamped = Math.min(spec.most, Math.max(spec.least, value));
  return spec.isWhole ? Math.round(clamped) : Number(clamped.toFixed(4));
}

/** Of anything, the part that is settings of ours. */
export function asSampling(value: unknown): Sampling {
  const sampling: Sampling = {};
  if (typeof value !== "object" || value === null) return sampling;
  for (const spec of samplingFields) {
    const given = (value as Record<string, unknown>)[spec.key];
    const number = typeof given === "number" ? readNumber(spec, String(given)) : undefined;
    if (number !== undefined) sampling[spec.key] = number;
  }
  return sampling;
}
