// Whether the server is there. It is asked until it is, and from time to time afterwards.
import { effect, signal } from "@preact/signals";
import { ask, ServerError, setApiKey } from "../server/client";
import { askProperties, type Properties } from "../server/properties";

export type Connection = "connecting" | "loading" | "ready" | "gone" | "locked";

export const connection = signal<Connection>("connecting");
export const properties = signal<Properties | null>(null);

const KEY = "plm-api-key";
const CALM_MS = 15_000;
const RETRY_MS = 1_500;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Whether a key was given that the server did not take. */
export const wasKeyRefused = signal(false);

export async function giveApiKey(key: string, isKept: boolean): Promise<void> {
  setApiKey(key);
  sessionStorage.setItem(KEY, key);
  if (isKept) localStorage.setItem(KEY, key);
  else localStorage.removeItem(KEY);
  await look();
  wasKeyRefused.value = connection.value === "locked";
}

/** Asks at once, and goes on asking. */
export async function look(): Promise<void> {
  clearTimeout(timer);
  connection.value = await state();
  clearTimeout(timer); // of another look meanwhile
  timer = setTimeout(() => void look(), connection.value === "ready" ? CALM_MS : RETRY_MS);
}

async function state(): Promise<Connection> {
  try {
    await ask("/health");
    // After a restart it may be another model.
    if (connection.value !== "ready" || !properties.value) properties.value = await askProperties();
    return "ready";
  } catch (error) {
    const status = error instanceof ServerError ? error.status : 0;
    return status === 401 ? "locked" : status === 503 ? "loading" : "gone";
  }
}

export function startLooking(): void {
  setApiKey(sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY) ?? "");
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") void look();
  });
  addEventListener("online", () => void look());
  void look();
}

effect(() => {
  document.documentElement.dataset.connection = connection.value;
});
