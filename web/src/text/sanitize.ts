// The last line of defence: only what our Markdown makes may enter the page.
import DOMPurify from "dompurify";

export function sanitized(html: string): string {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS: [
      "a", "blockquote", "br", "button", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol",
      "p", "pre", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
    ],
    ALLOWED_ATTR: ["class", "href", "target", "rel", "type", "tabindex", "start", "align", "data-tex", "data-display", "data-language"],
    ALLOW_DATA_ATTR: false,
  });
}
