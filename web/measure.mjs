// How soon the page can be used, and what a long answer costs: node measure.mjs [URL]. Prints medians of nine loads.
// Without a URL it measures before the tests' scripted server.
import { launch, noBrowser, open } from "./tests/browser/browser.mjs";
import { FakeServer } from "./tests/browser/fake-server.mjs";

if (noBrowser) throw new Error(noBrowser);
const LOADS = 9;
const server = process.argv[2] ? null : await new FakeServer().start();
const url = process.argv[2] ?? server.url;
const browser = await launch();

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const loads = [];
for (let index = 0; index < LOADS; index += 1) {
  const context = await browser.newContext();
  await context.addInitScript(() => {
    const seen = new MutationObserver(() => {
      window.typeable ??= document.querySelector("#composer") ? performance.now() : undefined;
      window.answerable ??= document.documentElement.dataset.connection === "ready" ? performance.now() : undefined;
    });
    seen.observe(document, { subtree: true, childList: true, attributes: true });
  });
  const { page } = await open(browser, url, {}, context);
  await page.waitForFunction(() => window.answerable);
  loads.push(
    await page.evaluate(() => ({
      paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN,
      typeable: window.typeable,
      answerable: window.answerable,
      bytes: performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
        .filter((one) => !/props|health|activity/.test(one.name)).reduce((sum, one) => sum + one.encodedBodySize, 0),
    })),
  );
  await context.close();
}
for (const name of ["paint", "typeable", "answerable"]) {
  console.log(`${name.padEnd(12)} ${median(loads.map((load) => load[name])).toFixed(0)} ms`);
}
console.log(`${"transferred".padEnd(12)} ${(loads[0].bytes / 1000).toFixed(1)} kB`);

if (server) {
  const PARAGRAPHS = 120;
  server.answer = "Some **words** of an answer with `code`, which goes on for a while and ends.\n\n".repeat(PARAGRAPHS);
  server.pace = 2;
  const { page } = await open(browser, url);
  await page.evaluate(() => {
    window.busy = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => (window.busy = Math.max(window.busy, entry.duration)))).observe({ type: "longtask" });
  });
  await page.locator("#composer").fill("Go");
  await page.locator("html[data-connection=ready]").waitFor({ state: "attached" });
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const work = async () => (await session.send("Performance.getMetrics")).metrics.find((one) => one.name === "TaskDuration").value;
  const [before, start] = [await work(), Date.now()];
  await page.locator("#composer").press("Enter");
  await page.locator(".message.assistant[data-state=done]").waitFor({ timeout: 300_000 });
  const seconds = (Date.now() - start) / 1000;
  console.log(`a long answer: ${server.answer.length} letters in ${seconds.toFixed(1)} s, main thread busy ${(await work() - before).toFixed(1)} s, longest task ${Math.round(await page.evaluate(() => window.busy))} ms`);
}
await browser.close();
await server?.stop();
