// What the model does, asked for while somebody looks.
import { computed, effect, signal } from "@preact/signals";
import { askActivity, type Activity } from "../server/activity";
import { isAnyRunning } from "./answers";
import { connection } from "./connection";
import { panelTab, showsPanel } from "./preferences";

export const activity = signal<Activity | null>(null);
/** The shares of live neurons seen lately, the newest last. */
export const activityHistory = signal<readonly number[][]>([]);

export const HISTORY = 64;
const BUSY_MS = 250;
const IDLE_MS = 4_000;

const isWatched = computed(() => showsPanel.value && panelTab.value === "inside" && connection.value === "ready");

export function startWatching(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watch = async (isBusy: boolean): Promise<void> => {
    clearTimeout(timer);
    const seen = await askActivity().catch(() => null); // the connection tells why
    if (seen) {
      activity.value = seen;
      if (isBusy && seen.neurons) activityHistory.value = [...activityHistory.value, seen.neurons.liveShare].slice(-HISTORY);
    }
    clearTimeout(timer);
    if (isWatched.value) timer = setTimeout(() => void watch(isAnyRunning.value), isBusy ? BUSY_MS : IDLE_MS);
  };
  effect(() => {
    const isBusy = isAnyRunning.value;
    clearTimeout(timer);
    if (isWatched.value) void watch(isBusy);
  });
}
