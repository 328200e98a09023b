// Chats as files: JSON that can be read back, and Markdown to read.
import { newId } from "./ids";
import { asSampling } from "./sampling";
import { shownPath } from "./tree";
import type { Chat, Message, MessageState } from "./types";

export interface ChatWithMessages {
  chat: Chat;
  messages: Message[];
}

const FORMAT = "plm-chats";
const VERSION = 1;

export function toJson(chats: readonly ChatWithMessages[]): string {
  return JSON.stringify({ format: FORMAT, version: VERSION, chats }, null, 1) + "\n";
}

export function toMarkdown({ chat, messages }: ChatWithMessages): string {
  const path = shownPath(new Map(messages.map((message) => [message.id, message])), chat.picks);
  const parts = [`# ${chat.title}`];
  if (chat.system !== "") parts.push(`**System**\n\n${chat.system}`);
  for (const message of path) parts.push(`**${message.role === "user" ? "You" : "plm"}**\n\n${message.text}`);
  return parts.join("\n\n") + "\n";
}

/** The chats of a file, under new ids, so that nothing here is overwritten. Throws an Error with a sentence. */
export function fromJson(text: string): ChatWithMessages[] {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error("This is not a JSON file.");
  }
  if (!isRecord(file) || file.format !== FORMAT || !Array.isArray(file.chats)) {
    throw new Error("This is not a file of chats from this page.");
  }
  if (file.version !== VERSION) throw new Error("This file is from another version of the page.");
  return file.chats.map(readChat);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readTime(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 && value < 8.64e15 ? value : 0;
}

function readChat(value: unknown, index: number): ChatWithMessages {
  const where = `Chat ${index + 1} of the file`;
  if (!isRecord(value) || !isRecord(value.chat) || !Array.isArray(value.messages)) {
    throw new Error(`${where} is damaged.`);
  }
  const given = value.chat;
  const id = newId();
  const fresh = new Map<string, string>();
  for (const message of value.messages) {
    if (isRecord(message) && typeof message.id === "string") fresh.set(message.id, newId());
  }
  const messages = value.messages.map((message: unknown) => readMessage(message, id, fresh, where));
  const chat: Chat = {
    id,
    title: typeof given.title === "string" ? given.title.slice(0, 200) : "Imported chat",
    created: readTime(given.created),
    updated: readTime(given.updated),
    system: typeof given.system === "string" ? given.system : "",
    sampling: asSampling(given.sampling),
    ...(given.mode === "chat" || given.mode === "text" ? { mode: given.mode } : {}),
    picks: readPicks(given.picks, fresh),
  };
  return { chat, messages };
}

function readMessage(value: unknown, chat: string, fresh: Map<string, string>, where: string): Message {
  const isMessage =
    isRecord(value) && typeof value.id === "string" && typeof value.text === "string" &&
    (value.role === "user" || value.role === "assistant");
  if (!isMessage) throw new Error(`${where} holds a damaged message.`);
  const parent = typeof value.parent === "string" ? fresh.get(value.parent) : null;
  if (parent === undefined) throw new Error(`${where} lacks a message that another follows.`);
  const state: MessageState = value.state === "done" || value.state === "failed" ? value.state : "stopped";
  return {
    id: fresh.get(value.id as string)!,
    chat,
    parent,
    role: value.role as Message["role"],
    text: value.text as string,
    created: readTime(value.created),
    state,
    ...(typeof value.error === "string" ? { error: value.error } : {}),
    ...(typeof value.model === "string" ? { model: value.model } : {}),
  };
}

function readPicks(value: unknown, fresh: Map<string, string>): Chat["picks"] {
  const picks: Chat["picks"] = {};
  if (!isRecord(value)) return picks;
  for (const [parent, child] of Object.entries(value)) {
    const [newParent, newChild] = [parent === "" ? "" : fresh.get(parent), fresh.get(String(child))];
    if (newParent !== undefined && newChild !== undefined) picks[newParent] = newChild;
  }
  return picks;
}
