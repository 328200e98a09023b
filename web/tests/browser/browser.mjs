// A real Chromium for the tests, and pages in it that tell what went wrong.
import { chromium } from "playwright-core";
import { existsSync } from "node:fs";

const path = process.env.PLM_CHROMIUM ?? "/usr/bin/chromium";

/** Why there is no browser to test in, or false. */
export const noBrowser = existsSync(path)
  ? false
  : `no ${path} (Debian's package chromium; Ubuntu has only a snap, so set PLM_CHROMIUM to a Chromium there)`;

const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** Playwright gives every launch a profile of its own. */
export function launch() {
  return chromium.launch({ executablePath: path, args: flags });
}

const PATIENCE_MS = 60_000;

/** A page of a fresh context (or of one given), at the address; `faults` gathers what the browser complains of. */
export async function open(browser, url, options = {}, context = undefined) {
  context ??= await browser.newContext({ viewport: { width: 1300, height: 820 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    // Requests to a server that is gone, or that says no, are the business of some tests.
    const isRefusal = /Failed to load resource|net::ERR_/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !isRefusal) faults.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) faults.push(`asked for ${request.url()}`);
  });
  await page.goto(url);
  return { page, context, faults, box: composer(page) };
}

export function composer(page) {
  return page.locator("#composer");
}

export async function ready(page) {
  await page.locator("html[data-connection=ready]").waitFor({ state: "attached" });
}

export async function ask(page, text) {
  await ready(page);
  await composer(page).fill(text);
  await composer(page).press("Enter");
}

/** The last message, once it is an answer in this state. */
export async function answerIn(page, state) {
  const answer = page.locator(`.message.assistant[data-state=${state}]:last-child`);
  await answer.waitFor();
  return answer;
}

/** A text within the conversation; what screen readers are told stands elsewhere. */
export function said(page, text) {
  return page.locator(".log").getByText(text);
}

/** Once a message with this text is in the database. */
export async function kept(page, text) {
  const texts = () =>
    new Promise((resolve, reject) => {
      const request = indexedDB.open("plm-chats");
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const all = request.result.transaction("messages").objectStore("messages").getAll();
        all.onsuccess = () => {
          request.result.close();
          resolve(all.result.map((message) => message.text));
        };
      };
    });
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    if ((await page.evaluate(texts)).includes(text)) return;
  }
  throw new Error(`no message "${text}" in the database`);
}
