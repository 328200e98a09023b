// Colours for code. Loaded with the first block of code.
import hljs from "highlight.js/lib/common";

export function highlight(code: HTMLElement): void {
  const language = code.dataset.language ?? "";
  if (code.dataset.highlighted !== undefined || !hljs.getLanguage(language)) return;
  code.innerHTML = hljs.highlight(code.textContent ?? "", { language, ignoreIllegals: true }).value;
  code.dataset.highlighted = "";
}
