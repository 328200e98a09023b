// A text of the model as blocks, each made anew only when it changes.
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { markdownBlocks } from "../text/markdown";
import { sanitized } from "../text/sanitize";

function Block({ html }: { html: string }) {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const block = element.current;
    if (!block) return;
    block.innerHTML = sanitized(html);
    void adorn(block);
  }, [html]);
  return <div ref={element} class="block" />;
}

/** Colours and formulas. What cannot be loaded stays as it is: readable. */
async function adorn(block: HTMLElement): Promise<void> {
  const codes = block.querySelectorAll<HTMLElement>("code[data-language]:not([data-language=''])");
  const formulas = block.querySelectorAll<HTMLElement>(".math");
  try {
    if (codes.length > 0) codes.forEach((await import("../text/highlight")).highlight);
    if (formulas.length > 0) formulas.forEach((await import("../text/math")).renderMath);
  } catch (error) {
    console.warn("plm: a part of the page could not be loaded", error);
  }
}

export function Markdown({ text }: { text: string }) {
  const blocks = useMemo(() => markdownBlocks(text), [text]);
  return (
    <div class="markdown">
      {blocks.map((block, index) => (
        <Block key={index} html={block.html} />
      ))}
    </div>
  );
}
