// Keys that work everywhere on the page.
import { isAnswering, stop } from "../state/answers";
import { showsPanel } from "../state/preferences";
import { focusComposer } from "./composer";
import { closeOverlays, overlay, showsKeys, showsSidebar } from "./layout";
import { newChat, searchId } from "./sidebar";

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select");
}

export function startKeys(): void {
  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    if (key === "escape") escape();
    else if (command && event.shiftKey && key === "o") newChat();
    else if (command && key === "k") {
      showsSidebar.value = true;
      requestAnimationFrame(() => document.getElementById(searchId)?.focus());
    } else if (command && key === ".") showsPanel.value = !showsPanel.value;
    else if (!command && key === "/" && !isTyping(event.target)) focusComposer();
    else if (!command && event.key === "?" && !isTyping(event.target)) showsKeys.value = true;
    else return;
    event.preventDefault();
  });
}

function escape(): void {
  if (overlay.value) closeOverlays();
  else if (isAnswering.value) stop();
}
