// The tree of a chat's messages, and the one path through it that is on show.
import type { Chat, Message } from "./types";

export type Messages = ReadonlyMap<string, Message>;

export function childrenOf(messages: Messages, parent: string | null): Message[] {
  return [...messages.values()]
    .filter((message) => message.parent === parent)
    .sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1));
}

/** From the first message to the last, as picked. */
export function shownPath(messages: Messages, picks: Chat["picks"]): Message[] {
  const byParent = new Map<string, Message[]>();
  for (const message of messages.values()) {
    const siblings = byParent.get(message.parent ?? "");
    if (siblings) siblings.push(message);
    else byParent.set(message.parent ?? "", [message]);
  }
  const path: Message[] = [];
  for (let at = ""; ; ) {
    const siblings = byParent.get(at);
    if (!siblings) return path;
    byParent.delete(at); // a chain that bites its own tail ends here
    siblings.sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1));
    const next = siblings.find((message) => message.id === picks[at]) ?? siblings[siblings.length - 1];
    if (!next) return path;
    path.push(next);
    at = next.id;
  }
}

/** From the first message to the one with this id. */
export function pathTo(messages: Messages, id: string | null): Message[] {
  const path: Message[] = [];
  for (let at = id === null ? undefined : messages.get(id); at && path.length <= messages.size; ) {
    path.unshift(at);
    at = at.parent === null ? undefined : messages.get(at.parent);
  }
  return path;
}

export function pick(picks: Chat["picks"], message: Message): Chat["picks"] {
  return { ...picks, [message.parent ?? ""]: message.id };
}
