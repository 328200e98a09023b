// What a path of messages is to the server, and what is left of it where the context is too small.
import type { Message, Mode } from "./types";

export interface Turn {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface Prompt {
  mode: Mode;
  system: string;
  turns: Turn[];
  /** Whether turns are missing at the beginning. */
  forgot: boolean;
}

export function promptOf(path: readonly Message[], mode: Mode, system: string): Prompt {
  const turns = path.filter((message) => message.text !== "").map(({ role, text }) => ({ role, content: text }));
  return { mode, system, turns, forgot: false };
}

/** What stands between a text and what follows it: words of the reader are kept apart. */
export function seam(before: string, role: Turn["role"], after: string): string {
  return role === "user" && before !== "" && !/\s$/.test(before) && !/^\s/.test(after) ? " " : "";
}

/** Turns as one text. */
export function continuedText(prompt: Prompt): string {
  return prompt.turns.reduce((text, { role, content }) => text + seam(text, role, content) + content, prompt.system);
}

/** Shorter by about `share` of its length, from the beginning; null where nothing more can be left out. */
export function shortened(prompt: Prompt, share: number): Prompt | null {
  const all = prompt.turns.reduce((sum, turn) => sum + turn.content.length, 0);
  const surplus = Math.max(1, Math.ceil(all * share));
  return prompt.mode === "chat" ? withoutOldTurns(prompt, surplus) : withoutOldWords(prompt, surplus);
}

function withoutOldTurns(prompt: Prompt, surplus: number): Prompt | null {
  const turns = [...prompt.turns];
  for (let dropped = 0; dropped < surplus; ) {
    // A question and its answer go together; the last question stays.
    do {
      if (turns.length <= 1) return null;
      dropped += turns.shift()!.content.length;
    } while (turns[0]?.role === "assistant");
  }
  return { ...prompt, turns, forgot: true };
}

function withoutOldWords(prompt: Prompt, surplus: number): Prompt | null {
  const text = continuedText(prompt);
  if (surplus >= text.length) return null;
  const rest = text.slice(surplus);
  const word = rest.search(/\s\S/);
  const content = word < 0 ? rest : rest.slice(word + 1);
  return { mode: "text", system: "", turns: [{ role: "user", content }], forgot: true };
}
