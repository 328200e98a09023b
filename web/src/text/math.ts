// Formulas. Loaded with the first one.
import katex from "katex";
import "katex/dist/katex.min.css";

/** Not as HTML text, whose style attributes the page's policy forbids, but as elements. */
export function renderMath(element: HTMLElement): void {
  if (element.dataset.rendered !== undefined) return;
  element.dataset.rendered = "";
  katex.render(element.dataset.tex ?? "", element, {
    displayMode: element.dataset.display === "true",
    throwOnError: false,
    strict: false,
    trust: false,
    maxSize: 20,
    maxExpand: 200,
  });
}
