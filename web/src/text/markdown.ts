// Markdown of a model, which may say anything, as blocks of HTML. HTML in it is shown, not obeyed.
import { Marked, type Token, type Tokens } from "marked";
import { escapeHtml, mathExtension } from "./math-syntax";

export interface Block {
  /** What it was made from: the same source gives the same HTML. */
  raw: string;
  html: string;
}

const marked = new Marked(mathExtension, {
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => escapeHtml(text),
    // The page's first heading is its own.
    heading({ depth, tokens }) {
      const level = Math.min(depth + 1, 6);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
    // An image would tell its server who reads what. Its address is there to be followed.
    image: ({ href, text }) => link(href, escapeHtml(text || href)),
    link({ href, tokens }) {
      return link(href, this.parser.parseInline(tokens));
    },
    code: ({ text, lang }) => codeHtml(text, lang),
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
});

function link(href: string, html: string): string {
  if (!/^(https?:|mailto:)/i.test(href)) return html;
  return `<a href="${escapeHtml(href)}" target="_blank" rel="noopener noreferrer nofollow">${html}</a>`;
}

export function codeHtml(text: string, lang: string | undefined): string {
  const language = (lang ?? "").trim().split(/\s/)[0] ?? "";
  const name = language === "" ? "text" : language;
  return (
    `<div class="code"><div class="code-head"><span>${escapeHtml(name)}</span>` +
    `<button type="button" class="copy-code">Copy</button></div>` +
    `<pre tabindex="0"><code data-language="${escapeHtml(language)}">${escapeHtml(text)}</code></pre></div>\n`
  );
}

const known = new Map<string, string>();
const MOST_KNOWN = 2_000;

function htmlOf(token: Token, links: Record<string, Pick<Tokens.Link, "href" | "title">>): string {
  const key = Object.keys(links).length === 0 ? token.raw : "";
  const found = key === "" ? undefined : known.get(key);
  if (found !== undefined) return found;
  const html = marked.parser([token]);
  if (known.size >= MOST_KNOWN) known.clear();
  if (key !== "") known.set(key, html);
  return html;
}

/** While a text grows, only its last block changes. */
export function markdownBlocks(text: string): Block[] {
  const tokens = marked.lexer(text);
  return tokens
    .filter((token) => token.type !== "space" && token.type !== "def")
    .map((token) => ({ raw: token.raw, html: htmlOf(token, tokens.links) }));
}
