// What the reader chose in this browser.
import { effect, signal, type Signal } from "@preact/signals";
import { asSampling } from "../model/sampling";
import type { ChatSettings } from "../model/types";

export type Theme = "system" | "light" | "dark";

function stored(name: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "null");
  } catch {
    return null;
  }
}

function kept<T>(name: string, read: (value: unknown) => T): Signal<T> {
  const made = signal(read(stored(name)));
  effect(() => localStorage.setItem(name, JSON.stringify(made.value)));
  return made;
}

// The name and values are also those of public/theme.js, which paints before this runs.
export const theme = kept<Theme>("plm-theme", (value) => (value === "light" || value === "dark" ? value : "system"));

effect(() => {
  const root = document.documentElement;
  if (theme.value === "system") delete root.dataset.theme;
  else root.dataset.theme = theme.value;
});

/** What new chats begin with: the settings last chosen. */
export const newChatSettings = kept<ChatSettings>("plm-new-chat", (value) => {
  const given = (value ?? {}) as Record<string, unknown>;
  return {
    system: typeof given.system === "string" ? given.system : "",
    sampling: asSampling(given.sampling),
    ...(given.mode === "chat" || given.mode === "text" ? { mode: given.mode } : {}),
  };
});

export const showsPanel = kept<boolean>("plm-panel", (value) => value === true);
export const panelTab = kept<"inside" | "settings">("plm-panel-tab", (value) => (value === "settings" ? "settings" : "inside"));
