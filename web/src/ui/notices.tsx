// Short notices at the foot, and what a screen reader is told.
import { signal } from "@preact/signals";

interface Notice {
  text: string;
  action?: { label: string; run: () => void };
}

const notice = signal<Notice | null>(null);
const spoken = signal("");
let timer: ReturnType<typeof setTimeout> | undefined;

export function notify(text: string, action?: Notice["action"]): void {
  notice.value = action ? { text, action } : { text };
  clearTimeout(timer);
  timer = setTimeout(() => (notice.value = null), action ? 8_000 : 3_500);
}

export function say(text: string): void {
  spoken.value = text;
}

export function Notices() {
  const { text, action } = notice.value ?? { text: "" };
  return (
    <>
      <div class="notice" role="status" data-shown={notice.value !== null}>
        <span>{text}</span>
        {action && (
          <button
            type="button"
            onClick={() => {
              notice.value = null;
              action.run();
            }}
          >
            {action.label}
          </button>
        )}
      </div>
      <div class="offscreen" aria-live="polite">
        {spoken.value}
      </div>
    </>
  );
}
