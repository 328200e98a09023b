// The chats, and the one that is open in this tab.
import { computed, signal } from "@preact/signals";
import { newId } from "../model/ids";
import { pick, shownPath } from "../model/tree";
import type { Chat, ChatSettings, Message, Mode } from "../model/types";
import { connection, properties } from "./connection";
import * as database from "./database";
import { newChatSettings } from "./preferences";
import { listen, tabId, tell, type News } from "./tabs";

/** How long a tab may be silent before what it was writing counts as stopped. */
const SILENCE_MS = 8_000;

export const chats = signal<readonly Chat[]>([]);
export const openId = signal<string | null>(null);
export const messages = signal<ReadonlyMap<string, Message>>(new Map());
export const isLoaded = signal(false);

export const openChat = computed(() => chats.value.find((chat) => chat.id === openId.value) ?? null);
export const path = computed(() => shownPath(messages.value, openChat.value?.picks ?? {}));
/** Of the open chat, or of the one that the next message begins. */
export const settings = computed<ChatSettings>(() => openChat.value ?? newChatSettings.value);
export const mode = computed<Mode>(() => settings.value.mode ?? properties.value?.mode ?? "chat");

/** Messages that this tab is writing, whose text is ahead of the database. */
export const inProgress = new Map<string, Message>();

export async function startChats(): Promise<void> {
  listen(hear);
  addEventListener("hashchange", () => void openFromAddress());
  chats.value = await database.loadChats();
  await openFromAddress();
  isLoaded.value = true;
  setInterval(settleSilent, SILENCE_MS / 2);
}

export function addressOf(id: string | null): string {
  return id === null ? "#/" : `#/chat/${id}`;
}

async function openFromAddress(): Promise<void> {
  const id = /^#\/chat\/(\w+)$/.exec(location.hash)?.[1] ?? null;
  if (id === null || !chats.value.some((chat) => chat.id === id)) {
    openId.value = null;
    messages.value = new Map();
    return;
  }
  const loaded = await database.loadMessages(id);
  openId.value = id;
  messages.value = new Map(loaded.map((message) => [message.id, inProgress.get(message.id) ?? message]));
  settleSilent();
}

export function goTo(id: string | null): void {
  if (location.hash !== addressOf(id)) location.hash = addressOf(id);
}

/** What nobody is writing any more is stopped: the tab was closed, or this one was loaded again. */
function settleSilent(): void {
  for (const message of messages.value.values()) {
    if (message.state !== "writing" || inProgress.has(message.id)) continue;
    const isSilent = message.writer === tabId || Date.now() - (message.touched ?? 0) > SILENCE_MS;
    if (isSilent) void saveMessage(ended(message, "stopped"));
  }
}

/** As nobody writes it any more. */
export function ended(message: Message, state: Message["state"]): Message {
  const { writer: _writer, touched: _touched, ...rest } = message;
  return { ...rest, state };
}

function hear(news: News): void {
  switch (news.kind) {
    case "chat":
      putChat(news.chat);
      break;
    case "message":
      putMessage(news.message);
      break;
    case "removed":
      chats.value = chats.value.filter((chat) => chat.id !== news.chat);
      if (openId.value === news.chat) goTo(null);
      break;
    case "reload":
      void database.loadChats().then((loaded) => (chats.value = loaded));
      break;
  }
}

function putChat(chat: Chat): void {
  const others = chats.value.filter((other) => other.id !== chat.id);
  chats.value = [chat, ...others];
}

export function putMessage(message: Message): void {
  if (message.chat !== openId.value) return;
  messages.value = new Map(messages.value).set(message.id, message);
}

export async function saveChat(chat: Chat): Promise<void> {
  putChat(chat);
  await database.save([chat], []);
  tell({ kind: "chat", chat });
}

export async function saveMessage(message: Message): Promise<void> {
  putMessage(message);
  await database.save([], [message]);
  tell({ kind: "message", message });
}

/** Opens it at once; it is kept from its first message on. */
export async function beginChat(title: string): Promise<Chat> {
  const now = Date.now();
  const chat: Chat = { ...newChatSettings.value, id: newId(), title, created: now, updated: now, picks: {} };
  await saveChat(chat);
  openId.value = chat.id;
  messages.value = new Map();
  history.pushState(null, "", addressOf(chat.id));
  return chat;
}

/** Adds a message and shows it. */
export async function addMessage(chat: Chat, message: Message): Promise<void> {
  putMessage(message);
  const changed = { ...currentChat(chat), updated: Date.now(), picks: pick(currentChat(chat).picks, message) };
  putChat(changed);
  await database.save([changed], [message]);
  tell({ kind: "message", message });
  tell({ kind: "chat", chat: changed });
}

function currentChat(chat: Chat): Chat {
  return chats.value.find((other) => other.id === chat.id) ?? chat;
}

export async function showBranch(message: Message): Promise<void> {
  const chat = openChat.value;
  if (chat) await saveChat({ ...chat, picks: pick(chat.picks, message) });
}

export async function changeSettings(change: Partial<ChatSettings>): Promise<void> {
  newChatSettings.value = { ...newChatSettings.value, ...change };
  const chat = openChat.value;
  if (chat) await saveChat({ ...chat, ...change });
}

export async function renameChat(chat: Chat, title: string): Promise<void> {
  if (title.trim() !== "") await saveChat({ ...chat, title: title.trim().slice(0, 200) });
}

export interface Removed {
  chat: Chat;
  messages: Message[];
}

/** Returns what restoreChat() brings back. */
export async function removeChat(chat: Chat): Promise<Removed> {
  const removed = { chat, messages: await database.loadMessages(chat.id) };
  await database.removeChat(chat.id);
  chats.value = chats.value.filter((other) => other.id !== chat.id);
  if (openId.value === chat.id) goTo(null);
  tell({ kind: "removed", chat: chat.id });
  return removed;
}

export async function restoreChat(removed: Removed): Promise<void> {
  await addChats([removed]);
}

export async function addChats(added: readonly Removed[]): Promise<void> {
  await database.save(added.map(({ chat }) => chat), added.flatMap((one) => one.messages));
  chats.value = await database.loadChats();
  tell({ kind: "reload" });
}

export async function allChats(): Promise<Removed[]> {
  return Promise.all(chats.value.map(async (chat) => ({ chat, messages: await database.loadMessages(chat.id) })));
}

export const canAsk = computed(() => connection.value === "ready");
