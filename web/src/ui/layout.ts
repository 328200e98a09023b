// What lies over what on narrow windows, and which dialog is open.
import { signal } from "@preact/signals";
import { showsPanel } from "../state/preferences";

export const showsSidebar = signal(false); // matters on narrow windows only
export const showsKeys = signal(false);

/** Narrow: the list of chats lies over the conversation. As in styles/layout.css. */
export const narrow = matchMedia("(max-width: 800px)");
/** Not wide: the panel lies over the conversation. */
export const notWide = matchMedia("(max-width: 1180px)");

export function closeOverlays(): void {
  showsSidebar.value = false;
  if (notWide.matches) showsPanel.value = false;
}
