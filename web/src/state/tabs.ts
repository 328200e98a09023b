// News between the tabs of this page.
import type { Chat, Message } from "../model/types";
import { newId } from "../model/ids";

export type News =
  | { kind: "chat"; chat: Chat }
  | { kind: "message"; message: Message }
  | { kind: "removed"; chat: string }
  | { kind: "reload" };

const channel = new BroadcastChannel("plm-chats");

export function tell(news: News): void {
  channel.postMessage(news);
}

export function listen(hear: (news: News) => void): void {
  channel.onmessage = (event: MessageEvent<News>) => hear(event.data);
}

/** The same after a reload, so that a tab knows what it had been writing. */
export const tabId = (() => {
  const known = sessionStorage.getItem("plm-tab");
  const id = known ?? newId();
  sessionStorage.setItem("plm-tab", id);
  return id;
})();
