// The open chat: its messages, or an invitation.
import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Mode } from "../model/types";
import { isAnswering } from "../state/answers";
import { isLoaded, mode, openId, path } from "../state/chats";
import { properties } from "../state/connection";
import { copyText } from "../text/clipboard";
import { focusComposer, setDraft } from "./composer";
import { IconButton } from "./icons";
import { MessageView } from "./message";
import { ModeChoice } from "./mode-choice";
import { notify, say } from "./notices";

/** Nearer to the end than this counts as being there. */
const NEAR_PX = 80;

export function Conversation() {
  const scroller = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const isAway = useSignal(false);

  const toEnd = () => {
    follows.current = true;
    isAway.value = false;
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
  };
  useSignalEffect(() => {
    void openId.value;
    follows.current = true;
  });
  // Growing content is followed while the reader is at the end.
  useEffect(() => {
    const element = scroller.current;
    const content = element?.firstElementChild;
    if (!element || !content) return;
    const observer = new ResizeObserver(() => {
      if (follows.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(content);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useSignalEffect(() => {
    if (isAnswering.value) toEnd();
  });
  useAnnouncements();

  const shown = path.value;
  return (
    <div class="conversation">
      <div
        class="scroller"
        ref={scroller}
        tabIndex={-1}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          follows.current = scrollHeight - scrollTop - clientHeight < NEAR_PX;
          isAway.value = !follows.current;
        }}
        onClick={copyCode}
      >
        <div class="log" data-mode={mode.value}>
          {shown.length === 0 && isLoaded.value && properties.value && <Invitation />}
          {shown.map((message, index) => (
            <MessageView
              key={message.id}
              message={message}
              mode={mode.value}
              before={shown[index - 1]?.text ?? ""}
              isLast={index === shown.length - 1}
            />
          ))}
        </div>
      </div>
      {isAway.value && <IconButton icon="down" label="To the newest message" class="to-end" onClick={toEnd} />}
    </div>
  );
}

/** The buttons within blocks of code. */
async function copyCode(event: MouseEvent): Promise<void> {
  const button = event.target instanceof HTMLElement ? event.target.closest("button.copy-code") : null;
  const code = button?.closest(".code")?.querySelector("code");
  if (!button || !code) return;
  if (!(await copyText(code.textContent ?? ""))) return notify("The browser did not let the text be copied.");
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1_500);
}

/** An answer is read out when it is whole, not word by word. */
function useAnnouncements(): void {
  const was = useRef(false);
  useSignalEffect(() => {
    const answers = isAnswering.value;
    if (answers && !was.current) say("Answering…");
    if (!answers && was.current) {
      const last = path.peek()[path.peek().length - 1];
      if (last?.role === "assistant") say(last.state === "failed" ? (last.error ?? "Failed.") : last.text);
    }
    was.current = answers;
  });
}

const suggestions: Record<Mode, readonly string[]> = {
  chat: [
    "Explain squared ReLU to a curious ten-year-old.",
    "Write a haiku about a small, quick mind.",
    "What makes a good unit test?",
    "Plan a simple dinner for four.",
  ],
  text: ["Once upon a time, there was a little fox", "The old king had three sons", "In the morning, the wind", "“Who are you?” said the bird"],
};

function Invitation() {
  const isText = mode.value === "text";
  return (
    <div class="invitation">
      <h2>{isText ? "Begin a story." : "What is on your mind?"}</h2>
      <p>
        {isText
          ? "The model goes on from your words, as often as you like."
          : "Everything stays between this browser and the server."}
      </p>
      <ul>
        {suggestions[mode.value].map((text) => (
          <li key={text}>
            <button
              type="button"
              onClick={() => {
                setDraft(text);
                focusComposer();
              }}
            >
              {text}
            </button>
          </li>
        ))}
      </ul>
      <ModeChoice name="invitation-mode" />
    </div>
  );
}
