// A small menu behind three dots, by mouse and by keys.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon, IconButton, type IconName } from "./icons";

export function Menu({ label, children }: { label: string; children: ComponentChildren }) {
  const isOpen = useSignal(false);
  const root = useRef<HTMLSpanElement>(null);
  const items = () => [...(root.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
  const close = (returnsFocus: boolean) => {
    isOpen.value = false;
    if (returnsFocus) root.current?.querySelector<HTMLElement>("button")?.focus();
  };
  useEffect(() => {
    if (!isOpen.value) return;
    items()[0]?.focus();
    const outside = (event: Event) => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) close(false);
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [isOpen.value]);
  const move = (event: KeyboardEvent) => {
    if (!isOpen.value) return;
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 };
    const next = steps[event.key];
    if (next !== undefined) {
      event.preventDefault();
      all[next % all.length]?.focus();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      close(true);
    } else if (event.key === "Tab") {
      close(false);
    }
  };
  return (
    <span class="menu" ref={root} onKeyDown={move}>
      <IconButton icon="more" label={label} expanded={isOpen.value} onClick={() => (isOpen.value = !isOpen.value)} />
      {isOpen.value && (
        <div role="menu" aria-label={label} class="menu-items" onClick={() => close(true)}>
          {children}
        </div>
      )}
    </span>
  );
}

export function MenuItem({ icon, onSelect, children }: { icon: IconName; onSelect: () => void; children: ComponentChildren }) {
  return (
    <button type="button" role="menuitem" tabIndex={-1} onClick={onSelect}>
      <Icon name={icon} />
      {children}
    </button>
  );
}
