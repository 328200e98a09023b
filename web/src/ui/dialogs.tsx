// What asks for all attention: the server's key, and the list of keys to press.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { connection, giveApiKey, wasKeyRefused } from "../state/connection";
import { IconButton } from "./icons";
import { showsKeys } from "./layout";

interface DialogProps {
  title: string;
  isOpen: boolean;
  onClose?: () => void;
  children: ComponentChildren;
}

function Dialog({ title, isOpen, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isOpen) element.current?.showModal();
    else element.current?.close();
  }, [isOpen]);
  return (
    <dialog
      ref={element}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
    >
      <div class="dialog-head">
        <h2>{title}</h2>
        {onClose && <IconButton icon="close" label="Close" onClick={onClose} />}
      </div>
      {isOpen && children}
    </dialog>
  );
}

const keys: readonly [string, string][] = [
  ["Enter", "Send"],
  ["Shift + Enter", "New line"],
  ["Esc", "Stop the answer; close what is open"],
  ["Ctrl + Shift + O", "New chat"],
  ["Ctrl + K", "Search the chats"],
  ["Ctrl + .", "Open or close the panel"],
  ["/", "To the message box"],
  ["?", "This list"],
];

export function Dialogs() {
  const key = useSignal("");
  const isKept = useSignal(false);
  return (
    <>
      <Dialog title="This server asks for a key" isOpen={connection.value === "locked"}>
        <form
          class="key-form"
          onSubmit={(event) => {
            event.preventDefault();
            void giveApiKey(key.value.trim(), isKept.value);
          }}
        >
          <label class="field">
            <span class="field-name">API key</span>
            <input
              type="password"
              autocomplete="off"
              value={key.value}
              onInput={(event) => (key.value = event.currentTarget.value)}
            />
          </label>
          <label class="check">
            <input type="checkbox" checked={isKept.value} onChange={(event) => (isKept.value = event.currentTarget.checked)} />
            <span>Keep it in this browser</span>
          </label>
          <p class="hint" role="status">
            {wasKeyRefused.value && "The server did not take this key."}
          </p>
          <button type="submit" class="primary">
            Go on
          </button>
        </form>
      </Dialog>
      <Dialog title="Keys" isOpen={showsKeys.value} onClose={() => (showsKeys.value = false)}>
        <dl class="keys">
          {keys.map(([name, what]) => (
            <div key={name}>
              <dt>
                <kbd>{name}</kbd>
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
        <p class="hint">
          <a href="/licences.txt" target="_blank" rel="noopener">
            Licences of the libraries in this page
          </a>
        </p>
      </Dialog>
    </>
  );
}
