// The page: chats, conversation, panel.
import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { openChat } from "../state/chats";
import { connection, properties } from "../state/connection";
import { showsPanel } from "../state/preferences";
import { Composer, composerId } from "./composer";
import { Conversation } from "./conversation";
import { Dialogs } from "./dialogs";
import { IconButton } from "./icons";
import { closeOverlays, overlay, showsSidebar } from "./layout";
import { Notices } from "./notices";
import { Panel } from "./panel";
import { newChat, Sidebar } from "./sidebar";

export function App() {
  const lastOverlay = useRef<typeof overlay.value>(null);
  useSignalEffect(() => {
    document.title = openChat.value ? `${openChat.value.title} · plm` : "plm";
  });
  // The keyboard goes where the eye goes, and comes back.
  useSignalEffect(() => {
    const over = overlay.value;
    const target = over ? `.${over} .icon-button[aria-label^=Close]` : lastOverlay.current && `.head .opens-${lastOverlay.current}`;
    lastOverlay.current = over;
    if (target) requestAnimationFrame(() => document.querySelector<HTMLElement>(target)?.focus());
  });
  return (
    <>
      <a class="skip" href={`#${composerId}`} onClick={skip}>
        To the message box
      </a>
      <div class="page" data-sidebar={showsSidebar.value} data-panel={showsPanel.value}>
        <Sidebar />
        <main inert={overlay.value !== null}>
          <Header />
          <Conversation />
          <Composer />
        </main>
        {showsPanel.value && <Panel />}
        <button type="button" class="scrim" aria-label="Close" tabIndex={-1} onClick={closeOverlays} />
      </div>
      <Notices />
      <Dialogs />
    </>
  );
}

function skip(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById(composerId)?.focus();
}

const connectionNames = {
  connecting: "looking for the server",
  loading: "loading",
  ready: "ready",
  gone: "not reachable",
  locked: "locked",
};

function Header() {
  return (
    <header class="head">
      <IconButton
        icon="menu"
        label="Chats"
        class="narrow-only opens-sidebar"
        expanded={showsSidebar.value}
        onClick={() => (showsSidebar.value = true)}
      />
      <h1 class="title">{openChat.value?.title ?? "New chat"}</h1>
      <p class="model" title={connectionNames[connection.value]}>
        <span class="dot" data-connection={connection.value} aria-hidden="true" />
        <span class="model-name">{properties.value?.model ?? "plm"}</span>
        <span class="offscreen">, {connectionNames[connection.value]}</span>
      </p>
      <IconButton icon="plus" label="New chat" class="narrow-only" onClick={newChat} />
      <IconButton
        icon="panel"
        label="Inside and settings"
        class="opens-panel"
        expanded={showsPanel.value}
        onClick={() => (showsPanel.value = !showsPanel.value)}
      />
    </header>
  );
}
