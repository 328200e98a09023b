import { describe, expect, it } from "vitest";
import { markdownBlocks } from "../../src/text/markdown";
import { mathAt } from "../../src/text/math-syntax";

const html = (text: string) => markdownBlocks(text).map((block) => block.html).join("");

describe("math in Markdown", () => {
  it("is found in all four forms", () => {
    expect(mathAt("$x^2$ is")).toMatchObject({ tex: "x^2", isDisplay: false });
    expect(mathAt("\\(a_b\\)")).toMatchObject({ tex: "a_b", isDisplay: false });
    expect(mathAt("$$\nx\n$$")).toMatchObject({ tex: "x", isDisplay: true });
    expect(mathAt("\\[ y \\]")).toMatchObject({ tex: "y", isDisplay: true });
  });

  it("is not found in prices", () => {
    for (const text of ["$5 and $6", "$ 5 $", "$5", "$20 to $30"]) expect(mathAt(text)).toBeUndefined();
    expect(html("It costs $5, or $6 with milk.")).not.toContain("math");
  });

  it("keeps its TeX from Markdown and from HTML", () => {
    const made = html("Let $a_1 * b_2 * c < d$ be.");
    expect(made).toContain('data-tex="a_1 * b_2 * c &#60; d"');
    expect(made).not.toContain("<em>");
    expect(html("`$x$`")).not.toContain("math");
  });

  it("may stand in a line or in a paragraph of its own", () => {
    expect(html("so\n\n$$\na \\\\ b\n$$\n\nend")).toContain('data-display="true"');
    expect(html("inline \\[x\\] here")).toContain('data-display="true"');
  });
});

describe("Markdown of a model", () => {
  it("shows HTML instead of obeying it", () => {
    const made = html('<img src=x onerror=alert(1)> and <b onclick="x">bold</b>\n\n<script>alert(1)</script>');
    expect(made).not.toMatch(/<(img|script|b)\b/);
    expect(made).toContain("&#60;script&#62;");
  });

  it("makes links only to the web and to mail", () => {
    expect(html("[a](https://example.org)")).toContain('rel="noopener noreferrer nofollow"');
    expect(html("[a](javascript:alert(1))")).not.toContain("<a");
    expect(html("[a](/v1/models)")).not.toContain("<a");
  });

  it("never loads an image", () => {
    const made = html("![cat](https://example.org/cat.png?me)");
    expect(made).not.toContain("<img");
    expect(made).toContain('href="https://example.org/cat.png?me"');
  });

  it("stands below the page's own heading", () => {
    expect(html("# A *b*\n\n###### C")).toBe("<h2>A <em>b</em></h2>\n<h6>C</h6>\n");
  });

  it("names the language of code, and escapes what is in it", () => {
    const made = html('```c++ title="x"\na < b && c;\n```');
    expect(made).toContain('data-language="c++"');
    expect(made).toContain("a &#60; b &#38;&#38; c;");
    expect(html('```"><script>\nx\n```')).not.toContain("<script>");
  });

  it("is a list of blocks of which only the last changes while it grows", () => {
    const before = markdownBlocks("One.\n\n- a\n- b\n\nTh");
    const after = markdownBlocks("One.\n\n- a\n- b\n\nThree *is* more");
    expect(after.slice(0, -1)).toEqual(before.slice(0, -1));
    expect(after).toHaveLength(3);
  });

  it("takes what is unfinished for what it is so far", () => {
    expect(html("```py\nprint(")).toContain("print(");
    expect(html("**bold")).toContain("**bold");
    expect(html("$$x")).toContain("$$x");
    expect(html("")).toBe("");
  });

  it("is quick on long runs of what may begin something", () => {
    for (const text of ["$".repeat(4000), "\\(".repeat(4000), "[".repeat(2000), "$a ".repeat(3000), "*".repeat(4000)]) {
      expect(html(text).length).toBeGreaterThan(0);
    }
  }, 10_000);
});
