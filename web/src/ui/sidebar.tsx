// The chats of this browser.
import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { byDay } from "../model/days";
import type { Chat } from "../model/types";
import { addressOf, chats, goTo, openId, removeChat, renameChat, restoreChat } from "../state/chats";
import { theme, type Theme } from "../state/preferences";
import { focusComposer } from "./composer";
import { exportAll, exportChat, importFile } from "./files";
import { Icon, IconButton, type IconName } from "./icons";
import { closeOverlays, overlay, showsKeys } from "./layout";
import { Menu, MenuItem } from "./menu";
import { notify } from "./notices";

const query = signal("");
export const searchId = "chat-search";

export function newChat(): void {
  goTo(null);
  closeOverlays();
  focusComposer();
}

export function Sidebar() {
  const wanted = query.value.trim().toLowerCase();
  const found = wanted === "" ? chats.value : chats.value.filter((chat) => chat.title.toLowerCase().includes(wanted));
  return (
    <nav class="sidebar" aria-label="Chats" inert={overlay.value === "panel"}>
      <div class="brand">
        <span class="logo" aria-hidden="true">
          {Array.from({ length: 9 }, (_, index) => (
            <i key={index} />
          ))}
        </span>
        <span>plm</span>
        <IconButton icon="close" label="Close the list of chats" class="narrow-only" onClick={closeOverlays} />
      </div>
      <button type="button" class="new-chat" onClick={newChat}>
        <Icon name="plus" /> New chat
      </button>
      <label class="search">
        <Icon name="search" />
        <span class="offscreen">Search chats</span>
        <input
          id={searchId}
          type="search"
          placeholder="Search"
          value={query.value}
          onInput={(event) => (query.value = event.currentTarget.value)}
        />
      </label>
      <div class="chats">
        {byDay(found, Date.now()).map(({ name, items }) => (
          <section key={name}>
            <h2>{name}</h2>
            <ul>
              {items.map((chat) => (
                <ChatItem key={chat.id} chat={chat} />
              ))}
            </ul>
          </section>
        ))}
        {found.length === 0 && <p class="none">{wanted === "" ? "Your chats will be here." : "No chat of that name."}</p>}
      </div>
      <Foot />
    </nav>
  );
}

function ChatItem({ chat }: { chat: Chat }) {
  const isRenaming = useSignal(false);
  const isOpen = openId.value === chat.id;
  if (isRenaming.value) return <Rename chat={chat} onDone={() => (isRenaming.value = false)} />;
  const remove = async () => {
    const removed = await removeChat(chat);
    notify(`“${chat.title}” was deleted.`, { label: "Undo", run: () => void restoreChat(removed) });
  };
  return (
    <li class="chat-item" data-open={isOpen}>
      <a href={addressOf(chat.id)} aria-current={isOpen ? "page" : undefined} onClick={closeOverlays}>
        {chat.title}
      </a>
      <Menu label={`What to do with “${chat.title}”`}>
        <MenuItem icon="edit" onSelect={() => (isRenaming.value = true)}>Rename</MenuItem>
        <MenuItem icon="save" onSelect={() => void exportChat(chat, "json")}>Export</MenuItem>
        <MenuItem icon="save" onSelect={() => void exportChat(chat, "md")}>Export as Markdown</MenuItem>
        <MenuItem icon="trash" onSelect={() => void remove()}>Delete</MenuItem>
      </Menu>
    </li>
  );
}

function Rename({ chat, onDone }: { chat: Chat; onDone: () => void }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.select(), []);
  const finish = () => {
    void renameChat(chat, input.current?.value ?? "");
    onDone();
  };
  return (
    <li class="chat-item">
      <input
        ref={input}
        aria-label="Name of the chat"
        defaultValue={chat.title}
        maxLength={200}
        onBlur={finish}
        onKeyDown={(event) => {
          if (event.key === "Enter") finish();
          if (event.key !== "Escape") return;
          event.stopPropagation();
          onDone();
        }}
      />
    </li>
  );
}

const themes: Record<Theme, { icon: IconName; label: string; next: Theme }> = {
  system: { icon: "system", label: "Colours: as the system", next: "light" },
  light: { icon: "sun", label: "Colours: light", next: "dark" },
  dark: { icon: "moon", label: "Colours: dark", next: "system" },
};

function Foot() {
  const file = useRef<HTMLInputElement>(null);
  const { icon, label, next } = themes[theme.value];
  return (
    <div class="foot">
      <IconButton icon={icon} label={label} onClick={() => (theme.value = next)} />
      <IconButton icon="open" label="Import chats from a file" onClick={() => file.current?.click()} />
      <IconButton icon="save" label="Export all chats" disabled={chats.value.length === 0} onClick={() => void exportAll()} />
      <IconButton icon="keyboard" label="Keys" onClick={() => (showsKeys.value = true)} />
      <input
        ref={file}
        type="file"
        accept="application/json,.json"
        hidden
        aria-label="File of chats"
        onChange={(event) => {
          const chosen = event.currentTarget.files?.[0];
          event.currentTarget.value = "";
          if (chosen) void importFile(chosen);
        }}
      />
    </div>
  );
}
