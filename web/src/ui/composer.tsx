// Where messages are written.
import { signal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { isAnswering, send, stop } from "../state/answers";
import { canAsk, mode, openId } from "../state/chats";
import { connection, properties } from "../state/connection";
import { Icon } from "./icons";
import { notify } from "./notices";

/** What is written and not yet sent, by chat. */
const drafts = signal<Readonly<Record<string, string>>>({});

export const composerId = "composer";

export function focusComposer(): void {
  document.getElementById(composerId)?.focus();
}

export function setDraft(text: string): void {
  drafts.value = { ...drafts.value, [openId.value ?? ""]: text };
}

const waitingFor = {
  connecting: "Looking for the server…",
  loading: "The model is loading…",
  gone: "The server does not answer. Trying again…",
  locked: "The server asks for a key.",
  ready: "",
};

export function Composer() {
  const area = useRef<HTMLTextAreaElement>(null);
  const draft = drafts.value[openId.value ?? ""] ?? "";
  const isEmpty = draft.trim() === "";

  // As high as its text.
  useEffect(() => {
    const element = area.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [draft]);
  useSignalEffect(() => {
    void openId.value;
    if (matchMedia("(pointer: fine)").matches) area.current?.focus();
  });

  const submit = () => {
    if (isEmpty || !canAsk.value || isAnswering.value) return;
    setDraft("");
    send(draft).catch((error: unknown) => {
      setDraft(draft);
      notify(`The message could not be kept: ${error instanceof Error ? error.message : String(error)}`);
    });
  };
  const status = waitingFor[connection.value];
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <p class="connection" role="status" data-shown={status !== "" && connection.value !== "connecting"}>
        {connection.value === "connecting" ? "" : status}
      </p>
      <div class="composer-box">
        <textarea
          ref={area}
          id={composerId}
          aria-label={mode.value === "text" ? "Words for the model to continue" : "Message"}
          placeholder={mode.value === "text" ? "Begin a text; the model goes on…" : `Ask ${properties.value?.model ?? "the model"}…`}
          rows={1}
          value={draft}
          onInput={(event) => setDraft(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            submit();
          }}
        />
        {isAnswering.value ? (
          <button type="button" class="send" aria-label="Stop" title="Stop (Esc)" onClick={stop}>
            <Icon name="stop" />
          </button>
        ) : (
          <button type="submit" class="send" aria-label="Send" title="Send (Enter)" disabled={isEmpty || !canAsk.value}>
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  );
}
