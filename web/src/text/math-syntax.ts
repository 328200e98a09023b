// TeX in Markdown: \( \), \[ \], $$ $$ and, with care, $ $.
import type { MarkedExtension, Tokens } from "marked";

interface MathToken extends Tokens.Generic {
  tex: string;
  isDisplay: boolean;
}

const display = /^(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])/;
// As in Pandoc: no space inside the dollars, no digit behind them, so that prices stay prices.
const inline = /^(?:\\\(([\s\S]+?)\\\)|\$(?![\s$])((?:\\.|[^\\$\n])*?[^\s\\$])\$(?!\d))/;

/** The TeX that a text begins with. */
export function mathAt(text: string): { raw: string; tex: string; isDisplay: boolean } | undefined {
  const found = display.exec(text);
  if (found) return { raw: found[0], tex: (found[1] ?? found[2] ?? "").trim(), isDisplay: true };
  const within = inline.exec(text);
  if (within) return { raw: within[0], tex: within[1] ?? within[2] ?? "", isDisplay: false };
  return undefined;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

function tokenize(name: string, text: string): MathToken | undefined {
  const found = mathAt(text);
  return found && { type: name, ...found };
}

function html(token: Tokens.Generic): string {
  const { raw, tex, isDisplay } = token as MathToken;
  return `<span class="math" data-tex="${escapeHtml(tex)}" data-display="${isDisplay}">${escapeHtml(raw)}</span>`;
}

export const mathExtension: MarkedExtension = {
  extensions: [
    {
      name: "mathBlock",
      level: "block",
      start: (text) => /\$\$|\\\[/.exec(text)?.index,
      tokenizer(text) {
        const token = tokenize("mathBlock", text);
        return token?.isDisplay ? token : undefined;
      },
      renderer: (token) => `<p>${html(token)}</p>`,
    },
    {
      name: "math",
      level: "inline",
      start: (text) => /\$|\\\(|\\\[/.exec(text)?.index,
      tokenizer: (text) => tokenize("math", text),
      renderer: html,
    },
  ],
};
