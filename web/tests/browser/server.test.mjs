// The page as `plm serve` gives it, with the bundled model behind.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { get } from "node:http";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { answerIn, ask, launch, noBrowser, open, ready } from "./browser.mjs";
import { policy } from "./fake-server.mjs";

const program = process.env.PLM_BIN ?? fileURLToPath(new URL("../../../build-test/bin/plm", import.meta.url));
const noProgram = existsSync(program) ? false : `no ${program}`;

async function serve(port = 0) {
  const child = spawn(program, ["serve", "--port", String(port), "-t", "2"], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  const found = await new Promise((resolve, reject) => {
    child.stderr.on("data", (part) => {
      said += part;
      const listening = /listening on http:\/\/\S+:(\d+)/.exec(said);
      if (listening) resolve(Number(listening[1]));
    });
    child.on("exit", () => reject(new Error(said)));
  });
  return {
    port: found,
    url: `http://127.0.0.1:${found}`,
    kill: () => new Promise((resolve) => (child.exitCode ?? child.signalCode) === null ? (child.on("exit", resolve), child.kill("SIGKILL")) : resolve()),
  };
}

function fetchRaw(url, headers) {
  return new Promise((resolve, reject) => {
    get(url, { headers }, (response) => {
      response.resume();
      response.on("end", () => resolve(response));
    }).on("error", reject);
  });
}

describe("plm serve", { skip: noBrowser || noProgram }, () => {
  let browser, server;

  before(async () => {
    browser = await launch();
    server = await serve();
  });
  after(async () => {
    await browser?.close();
    await server?.kill();
  });

  it("sends the page with a policy that lets nothing else in", async () => {
    const { statusCode, headers } = await fetchRaw(server.url, { "Accept-Encoding": "gzip" });
    assert.equal(statusCode, 200);
    assert.equal(headers["content-security-policy"], policy);
    assert.equal(headers["cache-control"], "no-cache");
    assert.equal((await fetchRaw(server.url, {})).statusCode, 406);
    assert.equal((await fetchRaw(server.url, { "Accept-Encoding": "br, gzip;q=0" })).statusCode, 406);
  });

  it("continues a story, and shows which neurons fire", async () => {
    const { page, faults, context } = await open(browser, server.url);
    await ready(page);
    await page.keyboard.press("Control+.");
    await page.getByText("Ask something").waitFor();
    await page.getByText("of 8,192").waitFor();
    await ask(page, "Once upon a time");
    const answer = await answerIn(page, "done");
    assert.ok((await answer.locator(".text").textContent()).length > 40);
    const panel = page.getByRole("complementary");
    await panel.getByText("exactly zero").waitFor();
    assert.equal(await panel.locator(".layers li").count(), 8);
    const share = Number.parseFloat(await panel.locator("section[aria-label=Neurons] .figure b").textContent());
    assert.ok(share > 1 && share < 60, `${share} % of the neurons fire`);
    await panel.getByText("times smaller").waitFor();
    const coloured = await panel.locator("canvas").evaluate((canvas) =>
      canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.filter((_, index) => index % 4 === 3).some((alpha) => alpha > 0),
    );
    assert.ok(coloured, "the last seconds are drawn");
    assert.deepEqual(faults, []);
    await context.close();
  });

  it("may die in the middle of an answer and come back", async () => {
    const { page, context } = await open(browser, server.url);
    // On a quick machine it may be whole by then, which the page must survive as well.
    await ask(page, "One day");
    await page.locator(".message.assistant").waitFor();
    const { port } = server;
    await server.kill();
    await page.locator("html[data-connection=gone]").waitFor({ state: "attached" });
    const kept = await page.locator(".message.assistant").count();
    server = await serve(port);
    await ready(page);
    assert.equal(await page.locator(".message.assistant").count(), kept);
    await ask(page, "Then");
    await page.locator(".message.assistant").nth(kept).waitFor();
    await answerIn(page, "done");
    await context.close();
  });
});
