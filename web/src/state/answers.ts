// Answers under way in this tab: begin, follow, stop.
import { computed, signal } from "@preact/signals";
import { newId } from "../model/ids";
import { promptOf, shortened, type Prompt } from "../model/prompt";
import { titleOf } from "../model/title";
import { pathTo } from "../model/tree";
import type { Chat, Message } from "../model/types";
import { streamAnswer, type AnswerEvent } from "../server/answer-stream";
import { ServerError } from "../server/client";
import {
  addMessage, beginChat, ended, inProgress, messages, mode, openChat, openId, path, putMessage, saveMessage,
} from "./chats";
import { look, properties } from "./connection";
import { tabId } from "./tabs";

const SHOW_MS = 40; // between two looks at the growing text
const SAVE_MS = 300; // what a tab that dies loses at most
/** Where the context is too small, this much more than needed is left out, to have room for the answer. */
const ROOM_FOR_ANSWER = 0.3;

interface Running {
  messageId: string;
  controller: AbortController;
  startedAt: number;
  pieces: number;
  firstPieceAt: number;
}

const running = signal<ReadonlyMap<string, Running>>(new Map()); // by chat
const now = signal(0);

export const isAnyRunning = computed(() => running.value.size > 0);
export const isAnswering = computed(() => openId.value !== null && running.value.has(openId.value));

/** Pieces a second of the open chat's answer, as they arrive: about its tokens. */
export const liveRate = computed(() => {
  const one = openId.value === null ? undefined : running.value.get(openId.value);
  const seconds = one ? (now.value - one.firstPieceAt) / 1000 : 0;
  return one && one.pieces > 4 && seconds > 0 ? (one.pieces - 1) / seconds : null;
});

export async function send(text: string): Promise<void> {
  const chat = openChat.value ?? (await beginChat(titleOf(text)));
  const parent = path.value[path.value.length - 1]?.id ?? null;
  await ask(chat, parent, text);
}

/** The same question in other words, beside the old one. */
export async function askAgain(message: Message, text: string): Promise<void> {
  if (openChat.value) await ask(openChat.value, message.parent, text);
}

async function ask(chat: Chat, parent: string | null, text: string): Promise<void> {
  const question: Message = { id: newId(), chat: chat.id, parent, role: "user", text, created: Date.now(), state: "done" };
  await addMessage(chat, question);
  await answer(chat, question.id);
}

/** Another answer beside this one. */
export async function regenerate(message: Message): Promise<void> {
  if (openChat.value) await answer(openChat.value, message.parent);
}

/** Where the model continues texts: more of it. */
export async function goOn(message: Message): Promise<void> {
  if (openChat.value) await answer(openChat.value, message.id);
}

export function stop(): void {
  if (openId.value !== null) running.value.get(openId.value)?.controller.abort();
}

async function answer(chat: Chat, parent: string | null): Promise<void> {
  if (running.value.has(chat.id)) return;
  const model = properties.value?.model ?? "";
  const created = Date.now();
  const message: Message = {
    id: newId(), chat: chat.id, parent, role: "assistant", text: "", created, state: "writing", writer: tabId,
    touched: created, model,
  };
  const prompt = promptOf(pathTo(messages.value, parent), mode.value, chat.system);
  const controller = new AbortController();
  setRunning(chat.id, { messageId: message.id, controller, startedAt: created, pieces: 0, firstPieceAt: 0 });
  inProgress.set(message.id, message);
  await addMessage(chat, message);
  const ended = await follow(message, chat, prompt, controller.signal);
  inProgress.delete(message.id);
  setRunning(chat.id, null);
  await saveMessage(ended);
}

function setRunning(chat: string, one: Running | null): void {
  const next = new Map(running.value);
  if (one) next.set(chat, one);
  else next.delete(chat);
  running.value = next;
}

/** Receives the answer; returns the message as it ended. */
async function follow(message: Message, chat: Chat, prompt: Prompt, signal: AbortSignal): Promise<Message> {
  let latest = message;
  let showTimer: ReturnType<typeof setTimeout> | undefined;
  const keep = (changed: Message) => {
    latest = changed;
    inProgress.set(changed.id, changed);
    showTimer ??= setTimeout(() => {
      showTimer = undefined;
      now.value = performance.now();
      putMessage(latest);
    }, SHOW_MS);
  };
  const saveTimer = setInterval(() => {
    latest = { ...latest, touched: Date.now() };
    void saveMessage(latest);
  }, SAVE_MS);
  try {
    for await (const event of withRoom(prompt, chat, signal, () => keep({ ...latest, forgot: true }))) {
      if (event.kind === "text") {
        countPiece(chat.id);
        keep({ ...latest, text: latest.text + event.text });
      } else if (event.kind === "end") {
        keep({ ...latest, reachedLimit: event.reachedLimit });
      } else {
        keep({ ...latest, stats: event.stats });
      }
    }
    return ended(latest, "done");
  } catch (error) {
    if (signal.aborted) return ended(latest, "stopped");
    if (error instanceof ServerError && (error.status === 0 || error.status === 401)) void look();
    return { ...ended(latest, "failed"), error: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(showTimer);
    clearInterval(saveTimer);
  }
}

function countPiece(chat: string): void {
  const one = running.value.get(chat);
  if (!one) return;
  if (one.pieces === 0) one.firstPieceAt = performance.now();
  one.pieces += 1;
}

/** Streams; a prompt that is too long for the context loses its beginning until it fits. */
async function* withRoom(prompt: Prompt, chat: Chat, signal: AbortSignal, onForget: () => void): AsyncGenerator<AnswerEvent> {
  const model = properties.value?.model ?? "";
  for (;;) {
    try {
      return yield* streamAnswer(prompt, chat.sampling, model, signal);
    } catch (error) {
      const overflow = error instanceof ServerError ? error.overflow : undefined;
      const shorter = overflow && shortened(prompt, 1 - (1 - ROOM_FOR_ANSWER) * (overflow.room / overflow.found));
      if (!shorter) throw error;
      prompt = shorter;
      onForget();
    }
  }
}
