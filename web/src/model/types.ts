// What a chat is. Messages form a tree: to edit or regenerate adds a sibling, and nothing is lost.

export type Role = "user" | "assistant";

/** `writing`: some tab is receiving it; `stopped`: cut short by its reader or by a closed tab. */
export type MessageState = "writing" | "done" | "stopped" | "failed";

export interface Stats {
  promptTokens: number;
  cachedTokens: number;
  answerTokens: number;
  promptPerSecond: number;
  answerPerSecond: number;
}

export interface Message {
  id: string;
  chat: string;
  parent: string | null;
  role: Role;
  text: string;
  created: number;
  state: MessageState;
  /** While writing: the tab that receives it, and when it last said so. */
  writer?: string;
  touched?: number;
  error?: string;
  model?: string;
  stats?: Stats;
  /** The answer ended because its tokens or the context did. */
  reachedLimit?: boolean;
  /** The oldest part of the chat did not fit the context and was left out. */
  forgot?: boolean;
}

/** `chat`: through the model's template; `text`: the model continues the words as they stand. */
export type Mode = "chat" | "text";

export type SamplingKey =
  | "temperature"
  | "top_k"
  | "top_p"
  | "min_p"
  | "typical_p"
  | "repeat_penalty"
  | "repeat_last_n"
  | "presence_penalty"
  | "frequency_penalty"
  | "max_tokens"
  | "seed";

/** Only what differs from the server's defaults. */
export type Sampling = Partial<Record<SamplingKey, number>>;

export interface ChatSettings {
  system: string;
  sampling: Sampling;
  /** Undefined: as suits the model. */
  mode?: Mode;
}

export interface Chat extends ChatSettings {
  id: string;
  title: string;
  created: number;
  updated: number;
  /** Which child of a message is shown, by its parent's id ("" for the first). Without one: the newest. */
  picks: Record<string, string>;
}
