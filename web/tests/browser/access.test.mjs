// axe-core over every state of the page, light and dark, wide and narrow.
import axe from "axe-core";
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { answerIn, ask, launch, noBrowser, open, ready } from "./browser.mjs";
import { FakeServer } from "./fake-server.mjs";

const looks = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["on a phone", { colorScheme: "light", viewport: { width: 390, height: 780 } }],
];

describe("axe-core finds nothing", { skip: noBrowser }, () => {
  let browser, server;

  before(async () => {
    browser = await launch();
    server = await new FakeServer().start();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  async function check(page, state) {
    // Colours in the middle of a change are nobody's colours.
    await page.evaluate(() => Promise.all(document.getAnimations().filter((one) => one instanceof CSSTransition).map((one) => one.finished.catch(() => 0))));
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join("; ")}`);
    assert.deepEqual(found, [], state);
  }

  for (const [name, options] of looks) {
    it(`${name}, while a text is continued`, async () => {
      server.hasTemplate = false;
      server.answer = " upon a time there was a fox";
      const { page, context } = await open(browser, server.url, { reducedMotion: "reduce", ...options });
      await page.getByRole("heading", { name: "Begin a story." }).waitFor();
      await check(page, "before anything");
      await ask(page, "Once");
      await answerIn(page, "done");
      await page.getByRole("button", { name: "Continue" }).click();
      await page.locator(".message.assistant").nth(1).waitFor();
      await answerIn(page, "done");
      await page.locator(".message.assistant").first().hover();
      await check(page, "a text");
      await context.close();
    });

    it(name, async () => {
      server.hasTemplate = true;
      const { page, context } = await open(browser, server.url, { reducedMotion: "reduce", ...options });
      await ready(page);
      await check(page, "before anything");
      server.answer = "# Title\n\nText with `code`, [a link](https://example.org) and $x$.\n\n```js\nconst a = 'b'; // c\n```\n\n> quoted\n\n1. one\n\n| a |\n|---|\n| b |";
      await ask(page, "A question");
      await (await answerIn(page, "done")).locator(".hljs-keyword").waitFor();
      await page.getByRole("button", { name: "Answer again" }).click();
      await page.locator(".branches").waitFor();
      await answerIn(page, "done");
      await check(page, "with an answer");
      server.answer = { status: 500, json: { error: { message: "It broke." } } };
      await ask(page, "Another");
      await answerIn(page, "failed");
      await check(page, "after a failure");
      await page.getByRole("button", { name: "Edit and branch" }).last().click();
      await check(page, "while editing");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Inside and settings" }).click();
      await page.locator(".layers").waitFor();
      await check(page, "the view inside");
      await page.getByRole("tab", { name: "Settings" }).click();
      await page.getByText("More", { exact: true }).click();
      await check(page, "the settings");
      await page.getByRole("button", { name: "Close the panel" }).click();
      const chatsButton = page.getByRole("button", { name: "Chats", exact: true });
      if (await chatsButton.isVisible()) await chatsButton.click();
      await page.getByRole("button", { name: /What to do with/ }).click();
      await check(page, "a menu");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Keys" }).click();
      await check(page, "the dialog");
      await context.close();
    });
  }
});
