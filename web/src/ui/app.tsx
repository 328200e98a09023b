// The page: chats, conversation, panel.
import { useSignalEffect } from "@preact/signals";
import { openChat } from "../state/chats";
import { connection, properties } from "../state/connection";
import { showsPanel } from "../state/preferences";
import { Composer, composerId } from "./composer";
import { Conversation } from "./conversation";
import { Dialogs } from "./dialogs";
import { IconButton } from "./icons";
import { closeOverlays, showsSidebar } from "./layout";
import { Notices } from "./notices";
import { Panel } from "./panel";
import { newChat, Sidebar } from "./sidebar";

export function App() {
  useSignalEffect(() => {
    document.title = openChat.value ? `${openChat.value.title} · plm` : "plm";
  });
  return (
    <>
      <a class="skip" href={`#${composerId}`} onClick={skip}>
        To the message box
      </a>
      <div class="page" data-sidebar={showsSidebar.value} data-panel={showsPanel.value}>
        <Sidebar />
        <main>
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
        class="narrow-only"
        expanded={showsSidebar.value}
        onClick={() => (showsSidebar.value = true)}
      />
      <p class="title">{openChat.value?.title ?? "New chat"}</p>
      <p class="model" title={connectionNames[connection.value]}>
        <span class="dot" data-connection={connection.value} aria-hidden="true" />
        <span class="model-name">{properties.value?.model ?? "plm"}</span>
        <span class="offscreen">, {connectionNames[connection.value]}</span>
      </p>
      <IconButton icon="plus" label="New chat" class="narrow-only" onClick={newChat} />
      <IconButton
        icon="panel"
        label="Inside and settings"
        expanded={showsPanel.value}
        onClick={() => (showsPanel.value = !showsPanel.value)}
      />
    </header>
  );
}
