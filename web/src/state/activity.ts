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

/** While nothing is written the numbers stand still, and there is nothing to add. */
function remember({ neurons }: Activity): void {
  const known = activityHistory.value;
  const last = known[known.length - 1];
  if (!neurons || neurons.tokens === 0 || last?.every((share, layer) => share === neurons.liveShare[layer])) return;
  activityHistory.value = [...known, neurons.liveShare].slice(-HISTORY);
}

const isWatched = computed(() => showsPanel.value && panelTab.value === "inside" && connection.value === "ready");

export function startWatching(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watch = async (isBusy: boolean): Promise<void> => {
    clearTimeout(timer);
    const seen = await askActivity().catch(() => null); // the connection tells why
    if (seen) {
      activity.value = seen;
      remember(seen);
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
