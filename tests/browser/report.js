// SPDX-License-Identifier: MIT
// Opens reports in headless Chromium: node report.js JOB.json. Nothing may be fetched, nothing may go wrong.
// The job names the pages and what they must show; see test_report.py. Screenshots stay beside the job.
"use strict";
const assert = require("assert");
const fs = require("fs");
const path = require("path");
const { chromium } = require("playwright-core");

const job = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const shot = (name) => path.join(path.dirname(process.argv[2]), name + ".png");

async function open(browser, file, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const bad = [];
  page.on("pageerror", (e) => bad.push(`error: ${e.message}`));
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) bad.push(`console: ${m.text()}`); });
  page.on("request", (r) => { if (r.url() !== "file://" + file) bad.push(`request: ${r.url()}`); });
  const start = Date.now();
  await page.goto("file://" + file, { waitUntil: "load" });
  /* Without scripts nobody would call back. */
  if (options.javaScriptEnabled !== false)
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0))));
  page.seconds = (Date.now() - start) / 1000;
  page.bad = bad;
  return page;
}

const place = (page) => page.textContent("#place");
const onRow = (page) => page.evaluate(() => [...document.querySelectorAll(".rows .r.on")].map((r) => +r.dataset.i));
const states = (page) => page.evaluate(() => Object.fromEntries(
  [...document.querySelectorAll("#states div")].map((d) => [d.firstChild.textContent, d.lastChild.textContent])));
const visible = (page, selector) => page.evaluate((s) => [...document.querySelectorAll(s)]
  .filter((e) => e.getBoundingClientRect().width + e.getBoundingClientRect().height > 0).length, selector);

/* Texts of a row beside each other, and of rows below each other, must not overlap. */
const overlaps = (page) => page.evaluate(() => {
  const found = [];
  for (const row of document.querySelectorAll(".rows .r")) {
    const box = [...row.querySelectorAll("text:not(.lpt)")].map((t) => [t.getBoundingClientRect(), t.textContent])
      .filter(([b]) => b.width).sort((a, b) => a[0].left - b[0].left);
    for (let i = 1; i < box.length; i++)
      if (box[i][0].left < box[i - 1][0].right) found.push(`${box[i - 1][1]} | ${box[i][1]}`);
  }
  return found;
});

async function walk(browser, t) {
  const page = await open(browser, t.file, { colorScheme: "light", viewport: { width: 1600, height: 1000 } });
  assert.ok(page.seconds < t.limit, `${t.file} took ${page.seconds} s to open; expected less than ${t.limit} s`);
  console.log(`${path.basename(t.file)}: open in ${page.seconds} s, ${t.events} events`);
  assert.strictEqual(await visible(page, ".rows .r"), t.events);
  assert.deepStrictEqual(await overlaps(page), []);
  assert.deepStrictEqual(await onRow(page), [0]);
  await page.screenshot({ path: shot(t.name + "-light") });
  for (const key of ["ArrowDown", "ArrowRight", "ArrowUp", "ArrowLeft"]) await page.keyboard.press(key);
  assert.deepStrictEqual(await onRow(page), [0]);
  await page.keyboard.press("ArrowUp");
  assert.deepStrictEqual(await onRow(page), [0], "nothing is in front of the first");
  for (let i = 1; i < t.events; i++) {
    await page.keyboard.press(i % 2 ? "ArrowDown" : "ArrowRight");
    if (i < 5) assert.deepStrictEqual(await onRow(page), [i]);
  }
  const last = await place(page);
  assert.deepStrictEqual(await states(page), t.states, "the final state, step by step");
  await page.keyboard.press("Home");
  assert.deepStrictEqual(await onRow(page), [0]);
  await page.keyboard.press("End");
  assert.strictEqual(await place(page), last);
  assert.ok(last.startsWith(`step ${t.steps} of ${t.steps}, `), last);
  assert.deepStrictEqual(await states(page), t.states, "the final state");
  assert.strictEqual(await page.textContent("#inloop"), t.loop === null ? "" : "in the loop");
  assert.strictEqual(await visible(page, ".rows .lp"), t.loop === null ? 0 : t.events - t.loop);
  const box = await page.evaluate(() => {
    const r = document.querySelector(".rows .on").getBoundingClientRect();
    return [r.top, r.bottom, document.getElementById("panel").getBoundingClientRect().top];
  });
  assert.ok(box[0] > 0 && box[1] <= box[2], `the current row is hidden: ${box}`);

  /* A filter takes a lane's rows and its column away, and brings them back. */
  await page.keyboard.press("Home");
  await page.uncheck('.filters input[value="0"]');
  assert.strictEqual(await visible(page, ".rows .r"), t.events - t.first_lane);
  assert.strictEqual(await visible(page, ".rows .k0, .head .k0"), 0);
  assert.deepStrictEqual(await overlaps(page), []);
  await page.keyboard.press("End");
  await page.keyboard.press("Home");
  assert.ok(!t.rows_of_first_lane.includes((await onRow(page))[0]), "a hidden row was stepped on");
  await page.screenshot({ path: shot(t.name + "-filtered") });
  await page.check('.filters input[value="0"]');
  assert.strictEqual(await visible(page, ".rows .r"), t.events);
  assert.deepStrictEqual(page.bad, []);
  await page.context().close();

  const dark = await open(browser, t.file, { colorScheme: "dark", viewport: { width: 1600, height: 1000 } });
  const colors = await dark.evaluate(() => [document.body, document.querySelector(".rows text.g, .rows text.q")]
    .map((e, i) => getComputedStyle(e)[i ? "fill" : "backgroundColor"]));
  const light = (c) => c.match(/\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0);
  assert.ok(light(colors[0]) < 150 && light(colors[1]) > 350, `dark: ${colors}`);
  await dark.keyboard.press("End");
  await dark.screenshot({ path: shot(t.name + "-dark") });
  assert.deepStrictEqual(dark.bad, []);
  await dark.emulateMedia({ media: "print" });
  assert.strictEqual(await visible(dark, "#panel, .filters"), 0);
  assert.strictEqual(await visible(dark, ".rows .r"), t.events);
  await dark.context().close();

  const still = await open(browser, t.file, { javaScriptEnabled: false });
  assert.deepStrictEqual(still.bad, []);
  await still.screenshot({ path: shot(t.name + "-no-script") });
  await still.context().close();
}

async function look(browser, t) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open(browser, t.file, { colorScheme, viewport: { width: 1300, height: 1000 } });
    for (const text of t.shows) assert.ok((await page.textContent("body, svg")).includes(text), `${t.file}: no '${text}'`);
    /* Of a picture by itself Chromium has no full page. */
    await page.screenshot({ path: shot(`${t.name}-${colorScheme}`), fullPage: t.file.endsWith(".html") });
    assert.deepStrictEqual(page.bad, []);
    await page.context().close();
  }
}

(async () => {
  const browser = await chromium.launch({ executablePath: job.chromium, args: ["--no-sandbox"] });
  try {
    for (const t of job.traces) await walk(browser, t);
    for (const t of job.pages) await look(browser, t);
  } finally {
    await browser.close();
  }
})().catch((e) => {
  console.error(e.stack);
  process.exit(1);
});
