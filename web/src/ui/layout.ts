// What lies over what on narrow windows, and which dialog is open.
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { showsPanel } from "../state/preferences";

export const showsSidebar = signal(false); // matters on narrow windows only
export const showsKeys = signal(false);

function matches(query: string): ReadonlySignal<boolean> {
  const list = matchMedia(query);
  const made = signal(list.matches);
  list.addEventListener("change", () => (made.value = list.matches));
  return made;
}

// The widths of styles/layout.css: below the first the list of chats lies over the conversation, below the second the panel.
const isNarrow = matches("(max-width: 800px)");
const isNotWide = matches("(max-width: 1180px)");

/** What lies over the rest, which then cannot be reached. */
export const overlay = computed(() =>
  isNotWide.value && showsPanel.value ? "panel" : isNarrow.value && showsSidebar.value ? "sidebar" : null,
);

export function closeOverlays(): void {
  showsSidebar.value = false;
  if (isNotWide.value) showsPanel.value = false;
}

/** A page does not begin with its conversation covered. */
export function startLayout(): void {
  closeOverlays();
}
