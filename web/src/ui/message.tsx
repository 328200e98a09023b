// One message: its text, what can be done with it, and its siblings.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { rate } from "../model/numbers";
import { seam } from "../model/prompt";
import { childrenOf } from "../model/tree";
import type { Message, Mode } from "../model/types";
import { askAgain, goOn, isAnswering, liveRate, regenerate } from "../state/answers";
import { canAsk, messages, showBranch } from "../state/chats";
import { copyText } from "../text/clipboard";
import { Icon, IconButton } from "./icons";
import { Markdown } from "./markdown";
import { notify } from "./notices";

interface Props {
  message: Message;
  mode: Mode;
  /** The text that stands before it. */
  before: string;
  isLast: boolean;
}

export function MessageView({ message, mode, before, isLast }: Props) {
  const isEditing = useSignal(false);
  const isUser = message.role === "user";
  return (
    <article class={`message ${message.role}`} data-state={message.state} aria-label={isUser ? "You" : "Answer"}>
      {isEditing.value ? (
        <Editor message={message} onDone={() => (isEditing.value = false)} />
      ) : (
        <>
          <Body message={message} mode={mode} before={before} />
          <Notes message={message} />
          <Actions message={message} mode={mode} isLast={isLast} onEdit={() => (isEditing.value = true)} />
        </>
      )}
    </article>
  );
}

function Body({ message, mode, before }: Omit<Props, "isLast">) {
  const isWriting = message.state === "writing";
  if (message.role === "user" || mode === "text") {
    return (
      <div class="text plain">
        {mode === "text" && seam(before, message.role, message.text)}
        {message.text}
        {isWriting && <Caret />}
      </div>
    );
  }
  return (
    <div class="text">
      {message.text === "" && isWriting ? <Caret /> : <Markdown text={message.text} />}
    </div>
  );
}

function Caret() {
  return <span class="caret" aria-hidden="true" />;
}

function Notes({ message }: { message: Message }) {
  return (
    <>
      {message.state === "failed" && (
        <p class="note error" role="alert">
          {message.error ?? "Something went wrong."}
        </p>
      )}
      {message.state === "stopped" && <p class="note">Stopped.</p>}
      {message.forgot && <p class="note">The oldest part of this chat no longer fits the context and was left out.</p>}
    </>
  );
}

function Editor({ message, onDone }: { message: Message; onDone: () => void }) {
  const text = useSignal(message.text);
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    area.current?.focus();
    area.current?.setSelectionRange(text.value.length, text.value.length);
  }, []);
  const submit = () => {
    if (text.value.trim() === "" || !canAsk.value || isAnswering.value) return;
    onDone();
    void askAgain(message, text.value);
  };
  return (
    <form
      class="editor"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <textarea
        ref={area}
        aria-label="Edit your message"
        rows={Math.min(12, text.value.split("\n").length + 1)}
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") {
            event.stopPropagation();
            onDone();
          } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
            event.preventDefault();
            submit();
          }
        }}
      />
      <div class="editor-actions">
        <span class="hint">The old version stays, one arrow away.</span>
        <button type="button" class="quiet" onClick={onDone}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={text.value.trim() === "" || !canAsk.value || isAnswering.value}>
          Send
        </button>
      </div>
    </form>
  );
}

function Actions({ message, mode, isLast, onEdit }: Omit<Props, "before"> & { onEdit: () => void }) {
  if (message.state === "writing") return <LiveRate />;
  const isUser = message.role === "user";
  const mayAsk = canAsk.value && !isAnswering.value;
  return (
    <div class="actions" data-kept={isLast && !isUser}>
      <Branches message={message} />
      <CopyButton text={message.text} />
      {isUser ? (
        <IconButton icon="edit" label="Edit and branch" disabled={isAnswering.value} onClick={onEdit} />
      ) : (
        <IconButton icon="again" label="Answer again" disabled={!mayAsk} onClick={() => void regenerate(message)} />
      )}
      {!isUser && mode === "text" && isLast && (
        <button type="button" class="quiet small" disabled={!mayAsk} onClick={() => void goOn(message)}>
          <Icon name="forward" /> Continue
        </button>
      )}
      {!isUser && <StatsLine message={message} />}
    </div>
  );
}

function CopyButton({ text }: { text: string }) {
  const copied = useSignal(false);
  const copy = async () => {
    copied.value = await copyText(text);
    if (!copied.value) return notify("The browser did not let the text be copied.");
    setTimeout(() => (copied.value = false), 1_500);
  };
  return <IconButton icon={copied.value ? "check" : "copy"} label={copied.value ? "Copied" : "Copy"} onClick={() => void copy()} />;
}

function Branches({ message }: { message: Message }) {
  const siblings = childrenOf(messages.value, message.parent);
  if (siblings.length < 2) return null;
  const at = siblings.findIndex((sibling) => sibling.id === message.id);
  const show = (index: number) => {
    const sibling = siblings[index];
    if (sibling) void showBranch(sibling);
  };
  return (
    <span class="branches" role="group" aria-label="Versions">
      <IconButton icon="left" label="Version before" disabled={at === 0} onClick={() => show(at - 1)} />
      <span>
        <span class="offscreen">Version </span>
        {at + 1}/{siblings.length}
      </span>
      <IconButton icon="right" label="Next version" disabled={at === siblings.length - 1} onClick={() => show(at + 1)} />
    </span>
  );
}

function LiveRate() {
  return <p class="stats live">{liveRate.value === null ? "\u00a0" : `${rate(liveRate.value)} tokens/s`}</p>;
}

function StatsLine({ message: { stats, reachedLimit } }: { message: Message }) {
  if (!stats) return null;
  return (
    <span class="stats">
      {stats.answerTokens} tokens · {rate(stats.answerPerSecond)}/s
      {reachedLimit && " · cut at the limit"}
    </span>
  );
}
