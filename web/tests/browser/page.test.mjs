// The page in Chromium, before a server that says what each test wants.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { answerIn, ask, composer, kept, launch, noBrowser, open, ready, said } from "./browser.mjs";
import { FakeServer } from "./fake-server.mjs";

describe("the page", { skip: noBrowser }, () => {
  let browser, server, faults, contexts;

  before(async () => (browser = await launch()));
  after(() => browser?.close());
  beforeEach(async () => {
    server = await new FakeServer().start();
    faults = [];
    contexts = [];
  });
  afterEach(async () => {
    for (const context of contexts) await context.close();
    await server.stop();
    assert.deepEqual(faults.flat(), [], "what the browser complained of");
  });

  async function visit(options, context) {
    const visit = await open(browser, server.url, options, context);
    faults.push(visit.faults);
    if (!context) contexts.push(visit.context);
    return visit.page;
  }

  /** An answer that is written up to its last word, until end() is called. */
  function hold(text) {
    let end;
    server.answer = text;
    server.gate = new Promise((resolve) => (end = resolve));
    return end;
  }

  it("shows an answer as it is written, with code, formulas and tables", async () => {
    const page = await visit();
    const end = hold("Here is **code**:\n\n```python\ndef f(x): return x\n```\n\nand $x^2$.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nDone.");
    await ask(page, "Show me");
    const writing = await answerIn(page, "writing");
    await writing.locator("strong", { hasText: "code" }).waitFor();
    end();
    const answer = await answerIn(page, "done");
    await answer.locator(".hljs-keyword", { hasText: "def" }).waitFor();
    await answer.locator(".katex").first().waitFor();
    assert.equal(await answer.locator("td").count(), 2);
    assert.match(await answer.locator(".stats").textContent(), /tokens · 23\.4\/s/);
    assert.equal(await page.title(), "Show me · plm");
  });

  it("copies code and answers", async () => {
    const page = await visit({ permissions: ["clipboard-read", "clipboard-write"] });
    server.answer = "Text.\n\n```js\nlet a = 1;\n```";
    await ask(page, "Code");
    const answer = await answerIn(page, "done");
    const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
    await answer.locator(".copy-code").click();
    await answer.locator(".copy-code", { hasText: "Copied" }).waitFor();
    assert.equal(await clipboard(), "let a = 1;");
    await answer.getByRole("button", { name: "Copy", exact: true }).last().click();
    await answer.getByRole("button", { name: "Copied" }).last().waitFor();
    assert.equal(await clipboard(), server.answer);
  });

  it("does nothing that a model's HTML tells it to", async () => {
    const page = await visit();
    server.answer =
      '<img src="https://example.org/spy.png" onerror="window.hit=1"><script>window.hit=1</script>\n\n' +
      '[x](javascript:window.hit=1) ![y](https://example.org/y.png)\n\n<a href="#" style="position:fixed">z</a>';
    await ask(page, "<b>bold?</b>");
    const answer = await answerIn(page, "done");
    assert.equal(await page.evaluate(() => window.hit), undefined);
    assert.equal(await answer.locator("img, script, [style], [onerror]").count(), 0);
    assert.equal(await page.locator(".message.user .text").textContent(), "<b>bold?</b>");
  });

  it("stops an answer by its button and by Escape, and keeps what was written", async () => {
    const page = await visit();
    for (const stop of [() => page.getByRole("button", { name: "Stop" }).click(), () => page.keyboard.press("Escape")]) {
      hold("One two three");
      await ask(page, "Count");
      await (await answerIn(page, "writing")).getByText("One two").waitFor();
      await stop();
      await (await answerIn(page, "stopped")).getByText("One two").waitFor();
      await page.getByText("Stopped.").last().waitFor();
    }
    await page.reload();
    await (await answerIn(page, "stopped")).getByText("One two").waitFor();
    assert.equal(server.aborted, 2);
  });

  it("answers again beside the old answer", async () => {
    const page = await visit();
    server.answer = "First.";
    await ask(page, "Which?");
    await answerIn(page, "done");
    server.answer = "Second.";
    await page.getByRole("button", { name: "Answer again" }).click();
    await said(page, "Second.").waitFor();
    await answerIn(page, "done");
    assert.equal(await said(page, "First.").count(), 0);
    await page.getByRole("button", { name: "Version before" }).click();
    await said(page, "First.").waitFor();
    await page.reload();
    await said(page, "First.").waitFor();
    assert.match(await page.locator(".branches").textContent(), /1\/2/);
  });

  it("asks an edited question beside the old one", async () => {
    const page = await visit();
    server.answer = (body) => `About ${body.messages.at(-1).content}.`;
    await ask(page, "cats");
    await said(page, "About cats.").waitFor();
    await answerIn(page, "done");
    await page.locator(".message.user").hover();
    await page.getByRole("button", { name: "Edit and branch" }).click();
    await page.getByLabel("Edit your message").fill("dogs");
    await page.getByLabel("Edit your message").press("Enter");
    await said(page, "About dogs.").waitFor();
    await answerIn(page, "done");
    assert.deepEqual(server.requests.at(-1).body.messages, [{ role: "user", content: "dogs" }]);
    await page.getByRole("button", { name: "Version before" }).click();
    await said(page, "About cats.").waitFor();
  });

  it("keeps what was written when the page is loaded again in the middle", async () => {
    const page = await visit();
    hold("Kept for ever");
    await ask(page, "Keep");
    await (await answerIn(page, "writing")).getByText("Kept for").waitFor();
    await kept(page, "Kept for");
    await page.reload();
    await (await answerIn(page, "stopped")).getByText("Kept for").waitFor();
    server.gate = Promise.resolve();
    await ready(page);
    await page.getByRole("button", { name: "Answer again" }).click();
    await said(page, "Kept for ever").waitFor();
  });

  it("keeps two tabs alike", async () => {
    const first = await visit();
    const end = hold("Seen by both");
    await ask(first, "Both");
    await (await answerIn(first, "writing")).getByText("Seen by").waitFor();
    const second = await visit({}, first.context());
    await second.getByRole("link", { name: "Both" }).click();
    await (await answerIn(second, "writing")).getByText("Seen by").waitFor();
    end();
    await answerIn(first, "done");
    await (await answerIn(second, "done")).getByText("Seen by both").waitFor();
    await second.getByRole("button", { name: "What to do with “Both”" }).click();
    await second.getByRole("menuitem", { name: "Delete" }).click();
    await first.getByText("Your chats will be here.").waitFor();
    await second.getByRole("button", { name: "Undo" }).click();
    await first.getByRole("link", { name: "Both" }).click();
    await said(first, "Seen by both").waitFor();
  });

  it("says that the server is gone, keeps all, and goes on when it is back", async () => {
    const page = await visit();
    hold("Half of it");
    await ask(page, "Go");
    await (await answerIn(page, "writing")).getByText("Half of").waitFor();
    const { port } = server;
    await server.stop();
    const broken = await answerIn(page, "failed");
    await broken.getByText("Half of").waitFor();
    await broken.getByText("The connection to the server broke.").waitFor();
    await page.getByText("The server does not answer. Trying again…").waitFor();
    await composer(page).fill("Still there?");
    assert.equal(await page.getByRole("button", { name: "Send" }).isDisabled(), true);
    server = await new FakeServer().start(port);
    server.answer = "Back again.";
    await ready(page);
    assert.equal(await composer(page).inputValue(), "Still there?");
    await composer(page).press("Enter");
    await said(page, "Back again.").waitFor();
    await answerIn(page, "done");
  });

  it("shows what the server says no with", async () => {
    const page = await visit();
    server.answer = { status: 429, json: { error: { code: 429, message: "too many requests are waiting" } } };
    await ask(page, "Now");
    await (await answerIn(page, "failed")).getByText("too many requests are waiting").waitFor();
  });

  it("asks for the key that the server wants, and gives it", async () => {
    server.apiKey = "secret";
    const page = await visit();
    const dialog = page.getByRole("dialog", { name: "This server asks for a key" });
    await dialog.getByLabel("API key").fill("guess");
    await dialog.getByRole("button", { name: "Go on" }).click();
    await dialog.getByText("The server did not take this key.").waitFor();
    await dialog.getByLabel("API key").fill("secret");
    await dialog.getByRole("button", { name: "Go on" }).click();
    await dialog.waitFor({ state: "hidden" });
    await ask(page, "Hi");
    await answerIn(page, "done");
    await page.reload();
    await ready(page);
  });

  it("sends the settings that were changed, and no others", async () => {
    const page = await visit();
    await ready(page);
    await page.keyboard.press("Control+.");
    await page.getByRole("tab", { name: "Settings" }).click();
    const temperature = page.getByLabel("Temperature", { exact: true });
    assert.equal(await temperature.getAttribute("placeholder"), "0.8");
    await temperature.fill("0,3");
    await temperature.press("Enter");
    await page.getByLabel("System prompt").fill("Rhyme.");
    await ask(page, "Go");
    await answerIn(page, "done");
    const { model, stream, stream_options, messages, ...rest } = server.requests[0].body;
    assert.deepEqual(rest, { temperature: 0.3 });
    assert.deepEqual(messages, [{ role: "system", content: "Rhyme." }, { role: "user", content: "Go" }]);
    await page.getByRole("button", { name: "Reset all" }).click();
    await ask(page, "Again");
    await page.locator(".message.assistant").nth(1).waitFor();
    await answerIn(page, "done");
    assert.equal("temperature" in server.requests[1].body, false);
  });

  it("continues texts where the model has no chat template", async () => {
    server.hasTemplate = false;
    server.answer = " upon a time";
    const page = await visit();
    await page.getByRole("heading", { name: "Begin a story." }).waitFor();
    await ask(page, "Once");
    await answerIn(page, "done");
    assert.equal(server.requests[0].path, "/v1/completions");
    assert.equal(server.requests[0].body.prompt, "Once");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.locator(".message.assistant").nth(1).waitFor();
    await answerIn(page, "done");
    assert.equal(server.requests[1].body.prompt, "Once upon a time");
  });

  it("leaves out the oldest part of a chat that no longer fits, and says so", async () => {
    server.answer = (body) =>
      body.messages.length > 1
        ? { status: 400, json: { error: { code: 400, message: "too long", n_prompt_tokens: 300, n_ctx: 256 } } }
        : "Fits.";
    const page = await visit();
    await ask(page, "First question, which is rather long");
    await answerIn(page, "done");
    await ask(page, "Second");
    await page.getByText("The oldest part of this chat no longer fits").waitFor();
    await answerIn(page, "done");
    assert.deepEqual(server.requests.at(-1).body.messages, [{ role: "user", content: "Second" }]);
  });

  it("shows what the model does inside", async () => {
    const page = await visit();
    await ask(page, "Hi");
    await answerIn(page, "done");
    await page.getByRole("button", { name: "Inside and settings" }).click();
    const panel = page.getByRole("complementary", { name: "Inside and settings" });
    await panel.getByText("of 196,608").waitFor();
    assert.equal(await panel.locator(".layers li").count(), 24);
    assert.match(await panel.textContent(), /8\.9 times smaller/);
    assert.match(await panel.textContent(), /36\.0 KiB a token.*320 KiB a token/s);
  });

  it("gives chats to a file and takes them back", async () => {
    const page = await visit();
    server.answer = "To be kept.";
    await ask(page, "Export me");
    await answerIn(page, "done");
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export all chats" }).click();
    const file = await (await download).path();
    assert.match(await readFile(file, "utf8"), /To be kept\./);
    const other = await visit();
    await other.getByLabel("File of chats").setInputFiles({ name: "chats.json", mimeType: "application/json", buffer: await readFile(file) });
    await other.getByText("One chat was added.").waitFor();
    await other.getByRole("link", { name: "Export me" }).click();
    await said(other, "To be kept.").waitFor();
    await other.getByLabel("File of chats").setInputFiles({ name: "x.json", mimeType: "application/json", buffer: Buffer.from("{}") });
    await other.getByText("This is not a file of chats from this page.").waitFor();
  });

  it("finds, renames and opens chats", async () => {
    const page = await visit();
    for (const text of ["Apples", "Pears"]) {
      await page.keyboard.press("Control+Shift+O");
      await ask(page, text);
      await page.locator(".title", { hasText: text }).waitFor();
      await answerIn(page, "done");
    }
    await page.getByRole("button", { name: "What to do with “Apples”" }).click();
    await page.getByRole("menuitem", { name: "Rename" }).click();
    await page.getByLabel("Name of the chat").fill("Green apples");
    await page.getByLabel("Name of the chat").press("Enter");
    await page.keyboard.press("Control+k");
    await page.locator("#chat-search:focus").waitFor();
    await page.keyboard.type("green");
    await page.getByRole("link", { name: "Pears" }).waitFor({ state: "hidden" });
    await page.getByRole("link", { name: "Green apples" }).click();
    await page.locator(".title", { hasText: "Green apples" }).waitFor();
    assert.equal(await page.locator(".message.user .text").textContent(), "Apples");
  });

  it("can be used by keys alone", async () => {
    const page = await visit();
    await ready(page);
    server.answer = "Yes.";
    await page.locator("#composer:focus").waitFor();
    await page.keyboard.type("First line");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("second");
    await page.keyboard.press("Enter");
    await answerIn(page, "done");
    assert.equal(server.requests[0].body.messages[0].content, "First line\nsecond");
    const menu = page.getByRole("button", { name: /What to do with/ });
    await menu.focus();
    await page.keyboard.press("Enter");
    await page.locator("[role=menuitem]:focus", { hasText: "Rename" }).waitFor();
    await page.keyboard.press("ArrowUp");
    await page.locator("[role=menuitem]:focus", { hasText: "Delete" }).waitFor();
    await page.keyboard.press("Escape");
    assert.equal(await menu.evaluate((element) => element === document.activeElement), true);
    await page.keyboard.press("?");
    const keys = page.getByRole("dialog", { name: "Keys" });
    await keys.waitFor();
    await page.keyboard.press("Escape");
    await keys.waitFor({ state: "hidden" });
    await page.keyboard.press("/");
    await page.locator("#composer:focus").waitFor();
  });

  it("keeps the colours that were chosen", async () => {
    const page = await visit({ colorScheme: "light" });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.getByRole("button", { name: "Colours: as the system" }).click();
    await page.getByRole("button", { name: "Colours: light" }).click();
    await page.getByRole("button", { name: "Colours: dark" }).waitFor();
    const dark = await ground();
    assert.notEqual(dark, light);
    await page.reload();
    assert.equal(await ground(), dark);
  });

  it("fits a phone", async () => {
    const page = await visit({ viewport: { width: 360, height: 700 }, isMobile: true, hasTouch: true });
    server.answer = "A wide one: `" + "x".repeat(200) + "`\n\n```\n" + "y".repeat(200) + "\n```\n\n$$" + "a+".repeat(80) + "a$$";
    await ask(page, "z".repeat(120));
    await (await answerIn(page, "done")).locator(".katex").waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    await page.getByRole("button", { name: "Chats", exact: true }).click();
    await page.locator(".page[data-sidebar=true]").waitFor();
    await page.locator("[aria-label='Close the list of chats']:focus").waitFor();
    assert.equal(await page.locator("main").evaluate((main) => main.inert), true);
    await page.getByRole("button", { name: "Close the list of chats" }).click();
    await page.locator(".opens-sidebar:focus").waitFor();
    await page.locator(".page[data-sidebar=false]").waitFor();
    await page.getByRole("button", { name: "Inside and settings" }).click();
    await page.getByRole("tab", { name: "Settings" }).click();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  });
});
