// Chats to and from files of the reader's.
import { fromJson, toJson, toMarkdown } from "../model/exchange";
import type { Chat } from "../model/types";
import { addChats, allChats } from "../state/chats";
import { notify } from "./notices";

function offer(name: string, type: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function fileName(title: string): string {
  return title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60) || "chat";
}

export async function exportChat(chat: Chat, kind: "json" | "md"): Promise<void> {
  const one = (await allChats()).filter((other) => other.chat.id === chat.id);
  const name = fileName(chat.title);
  if (kind === "json") offer(`${name}.json`, "application/json", toJson(one));
  else if (one[0]) offer(`${name}.md`, "text/markdown", toMarkdown(one[0]));
}

export async function exportAll(): Promise<void> {
  offer("plm-chats.json", "application/json", toJson(await allChats()));
}

export async function importFile(file: File): Promise<void> {
  try {
    const chats = fromJson(await file.text());
    await addChats(chats);
    notify(chats.length === 1 ? "One chat was added." : `${chats.length} chats were added.`);
  } catch (error) {
    notify(error instanceof Error ? error.message : "The file could not be read.");
  }
}
