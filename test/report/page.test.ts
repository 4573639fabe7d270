/** The report's page in a browser: what is drawn, read and downloaded is what the log holds. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LoggedRun, readRunLogs, reportHtml } from '../../lib/index.js';
import { trainLogged } from '../support/logged-training.js';
import { browserPath, csvOf, launch, open } from './browser.js';

const chromium = browserPath();
const tasks = ['en', 'hi', 'de', 'code'];

describe.skipIf(!chromium)('the page of a report', () => {
  let folder: string;
  let browser: Browser;
  let demo: LoggedRun[];
  let measured: LoggedRun[];
  const path = (name: string) => join(folder, name);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'report-page-'));
    browser = await launch(chromium!);
    const main = new URL('../../dist-examples/mixed-text/main.js', import.meta.url).pathname;
    // Without the addon there is a warning on any machine.
    const env = { ...process.env, PIKE_MIXER_ADDON: path('none.node') };
    await promisify(execFile)(process.execPath, [main, '--steps', '24', '--log', path('demo.jsonl')], {
      env,
    });
    demo = await readRunLogs(path('demo.jsonl'));
    writeFileSync(path('demo.html'), reportHtml(demo));
    await trainLogged({
      path: path('measured.jsonl'),
      run: 'measured',
      tasks,
      steps: 60,
      options: { inner: true },
      fate: (task, step) => (task === 'hi' && step === 20 ? 'broken gradient' : undefined),
      retire: { 41: 'de' },
    });
    measured = await readRunLogs(path('measured.jsonl'));
    writeFileSync(path('measured.html'), reportHtml(measured));
  }, 600_000);
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('draws every figure of the demo, with a mark for each number of the log', async () => {
    const { page, trouble, requests, close } = await open(browser, path('demo.html'));
    const K = 3;
    const steps = sum(demo, (run) => run.steps.length);
    expect(steps).toBe(72);
    const evaluations = sum(demo, (run) => run.evaluations.length);
    expect(evaluations).toBeGreaterThan(6);
    const updates = sum(demo, (run) => run.updates.length);
    expect(updates).toBeGreaterThan(0);

    // A step function goes along and then up: two corners for every number but the first.
    expect(await corners(page, '#weights .task-line path')).toBe(K * (2 * steps - demo.length));
    expect(await page.locator('#losses .held-out-dots circle').count()).toBe((K + 1) * evaluations);
    expect(await corners(page, '#losses .held-out-loss path')).toBe((K + 1) * evaluations);
    expect(await corners(page, '#losses .training-loss path')).toBe(steps + K * updates);
    expect(await corners(page, '#statistics .task-line path')).toBe(2 * positive(demo));
    expect(await page.locator('#counts .counts circle').count()).toBe(K * steps);
    expect(await page.locator('#cost .cost-dots circle').count()).toBe(2 * updates);
    const warnings = sum(demo, (run) => run.warnings.length);
    expect(warnings).toBeGreaterThan(0);
    expect(await page.locator('#events tbody tr').count()).toBe(warnings);
    expect(await page.locator('#cosines .empty').textContent()).toMatch(/inner products were not measured/);
    expect(trouble).toEqual([]);
    expect(requests).toEqual([]);
    await close();
  });

  it('draws bands, cells and events of measured inner products, misses and retirements', async () => {
    const { page, trouble, close } = await open(browser, path('measured.html'));
    const [run] = measured;
    const cells = sum(
      run.updates,
      ({ conflict }) => upper(conflict!.cosine).filter((x) => x !== null).length,
    );
    expect(cells).toBeGreaterThan(15);
    expect(await page.locator('#cosines .cosine-cells rect').count()).toBe(cells);
    expect(await page.locator('#statistics .error-band path').count()).toBe(2 * tasks.length);
    const known = sum(
      run.updates,
      ({ smoothed }) => smoothed.standardError!.variance.filter((x) => x !== null).length,
    );
    // There along the upper edge and back along the lower.
    expect(await corners(page, '#statistics .panel:nth-child(2) .error-band path')).toBe(2 * known);
    const kinds = await page.locator('#events .event-dots circle').count();
    const expected =
      run.warnings.length +
      run.skips.length +
      run.retirements.length +
      sum(
        run.updates,
        (update) =>
          [
            update.passedOver > 0,
            update.limited,
            update.clipped.length > 0,
            update.floored.length > 0,
            update.held.length > 0,
          ].filter(Boolean).length,
      );
    expect(run.skips.length).toBe(1);
    expect(run.retirements.length).toBe(1);
    expect(kinds).toBe(expected);
    expect(await page.locator('#weights .event-rule line').count()).toBe(
      run.warnings.length + run.retirements.length,
    );
    expect(trouble).toEqual([]);
    await close();
  });

  it('reads numbers off by pointer, keyboard and touch', async () => {
    const { page, close } = await open(browser, path('demo.html'));
    const pike = demo.find(({ updates }) => updates.length > 0)!;
    const panel = page.locator('#weights .panel', { hasText: pike.label }).locator('.frame');
    await panel.hover({ position: { x: 200, y: 60 } });
    const readout = panel.locator('.readout');
    const step = Number((await readout.locator('.readout-title').textContent())!.match(/step (\d+)/)![1]);
    expect(step).toBeGreaterThan(10);
    const logged = pike.steps.find((line) => line.step === step)!;
    for (const task of pike.tasks)
      expect(await readout.locator('tr', { hasText: task }).locator('td').textContent()).toBe(
        String(Number(logged.weights[task].toPrecision(6))),
      );
    await panel.focus();
    await page.keyboard.press('End');
    const last = pike.steps.at(-1)!;
    expect(await panel.getAttribute('aria-valuetext')).toBe(
      [
        `step ${last.step}`,
        ...pike.tasks.map((task) => `${task} ${Number(last.weights[task].toPrecision(6))}`),
      ].join('; '),
    );
    await page.keyboard.press('ArrowLeft');
    expect(await panel.getAttribute('aria-valuenow')).toBe(String(last.step - 1));
    await page.keyboard.press('Escape');
    expect(await readout.isVisible()).toBe(false);
    await close();

    const phone = await open(browser, path('measured.html'), { width: 390, hasTouch: true });
    const heat = phone.page.locator('#cosines .frame').first();
    const cell = heat.locator('.cosine-cells rect').nth(4);
    await cell.scrollIntoViewIfNeeded();
    const box = (await cell.boundingBox())!;
    await phone.page.touchscreen.tap(box.x + 2, box.y + box.height / 2);
    const read = (part: string) => heat.locator(`.readout ${part}`).textContent();
    const at = Number((await read('.readout-title'))!.match(/^step (\d+)$/)![1]);
    const [a, b] = (await read('th'))!.split(' · ').map((task) => tasks.indexOf(task));
    const value = measured[0].updates.find((update) => update.step === at)!.conflict!.cosine[a * 4 + b]!;
    expect(await read('td')).toBe(String(Number(value.toPrecision(6))).replace('-', '−'));
    await phone.close();
  });

  it('gives every number of the log as CSV, exactly', async () => {
    const { page, close } = await open(browser, path('measured.html'));
    const [run] = measured;
    const byStep = <E extends { step: number }>(events: readonly E[], step: string) =>
      events.find((event) => event.step === Number(step))!;

    const weights = await csvOf(page, 'weights');
    expect(weights.length).toBe(60 * tasks.length);
    for (const { step, task, weight } of weights)
      expect(Number(weight)).toBe(byStep(run.steps, step).weights[task]);

    const counts = await csvOf(page, 'counts');
    for (const { step, task, count, target } of counts) {
      expect(Number(count)).toBe(byStep(run.steps, step).counts[task]);
      expect(Number(target)).toBeCloseTo(30 * byStep(run.steps, step).weights[task], 12);
    }

    const statistics = await csvOf(page, 'statistics');
    expect(statistics.length).toBe(run.updates.length * tasks.length);
    for (const row of statistics) {
      const { smoothed, statistics: alone } = byStep(run.updates, row.step);
      const k = tasks.indexOf(row.task);
      expect(field(row.norm_squared)).toBe(smoothed.normSquared[k]);
      expect(field(row.variance_standard_error)).toBe(smoothed.standardError!.variance[k]);
      expect(field(row.measured_norm_squared)).toBe(alone.normSquared[k]);
    }

    const losses = await csvOf(page, 'losses');
    const heldOut = losses.filter(({ kind }) => kind === 'held-out');
    expect(heldOut.length).toBe(run.evaluations.length * tasks.length);
    for (const { step, task, loss } of heldOut)
      expect(Number(loss)).toBe(byStep(run.evaluations, step).losses[task]);
    const batch = losses.filter(({ kind }) => kind === 'training, batch');
    expect(batch.map(({ loss }) => Number(loss))).toEqual(run.steps.map(({ loss }) => loss));

    const cosines = await csvOf(page, 'cosines');
    expect(cosines.length).toBe(run.updates.length * 6);
    for (const { step, task, other_task, cosine } of cosines)
      expect(field(cosine)).toBe(
        byStep(run.updates, step).conflict!.cosine[tasks.indexOf(task) * 4 + tasks.indexOf(other_task)],
      );

    const cost = await csvOf(page, 'cost');
    expect(cost.map(({ mixing_seconds }) => Number(mixing_seconds))).toEqual(
      run.updates.map(({ mixingSeconds }) => mixingSeconds),
    );
    const events = await csvOf(page, 'events');
    expect(events.filter(({ kind }) => kind === 'retired')).toEqual([
      { run: 'measured', step: '41', kind: 'retired', text: 'de left the mixture', events: '1' },
    ]);
    const final = await csvOf(page, 'final');
    expect(final.map(({ weight }) => Number(weight))).toEqual(tasks.map((task) => run.end!.weights[task]));
    await close();
  });

  it('is light or dark, as the system has it or the reader chooses', async () => {
    const colours = (page: Page) =>
      page.evaluate(() => [
        getComputedStyle(document.body).backgroundColor,
        getComputedStyle(document.querySelector('#weights .task-line')!).stroke,
        document.querySelector('#cosines rect')!.getAttribute('fill'),
      ]);
    const light = await open(browser, path('measured.html'));
    const dark = await open(browser, path('measured.html'), { colorScheme: 'dark' });
    const [inLight, inDark] = [await colours(light.page), await colours(dark.page)];
    for (const [i, colour] of inLight.entries()) expect(inDark[i]).not.toBe(colour);
    await light.page.locator('.theme').click();
    expect(await colours(light.page)).toEqual(inDark);
    await dark.page.locator('.theme').click();
    expect(await colours(dark.page)).toEqual(inLight);
    await light.close();
    await dark.close();
  });

  it.each(['demo.html', 'measured.html'])('fits a phone, and follows the window (%s)', async (name) => {
    const { page, trouble, close } = await open(browser, path(name), { width: 390 });
    const widest = () =>
      page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth));
    expect(await widest()).toBe(390);
    const narrow = await page.locator('#weights svg').first().getAttribute('width');
    expect(Number(narrow)).toBeLessThanOrEqual(390);
    await page.setViewportSize({ width: 1280, height: 900 });
    await expect.poll(() => page.locator('#weights svg').first().getAttribute('width')).not.toBe(narrow);
    expect(await widest()).toBe(1280);
    expect(trouble).toEqual([]);
    await close();
  });

  it('shows hostile names as text, and what is wrong with a log', async () => {
    const hostile = '</script><img src=x onerror=alert(1)>';
    await trainLogged({ path: path('cut.jsonl'), run: hostile, tasks: [hostile, 'b'], steps: 30 });
    const whole = readFileSync(path('cut.jsonl'), 'utf8');
    writeFileSync(path('cut.jsonl'), whole.slice(0, Math.floor(whole.length * 0.7)));
    writeFileSync(path('cut.html'), reportHtml(await readRunLogs(path('cut.jsonl')), { title: hostile }));
    const { page, trouble, requests, close } = await open(browser, path('cut.html'));
    expect(await page.locator('h1').textContent()).toBe(hostile);
    expect(await page.locator('.tasks button').first().getAttribute('title')).toBe(hostile);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.locator('.notices').textContent()).toMatch(/cut off.*no end line/);
    expect(await page.locator('#weights .task-line path').count()).toBe(2);
    expect({ trouble, requests }).toEqual({ trouble: [], requests: [] });
    await close();
  });

  it('draws the tasks that are chosen, and the axis that is', async () => {
    const { page, close } = await open(browser, path('measured.html'));
    expect(await page.locator('#weights .task-line').count()).toBe(4);
    await page.locator('.tasks button', { hasText: 'hi' }).click();
    expect(await page.locator('#weights .task-line').count()).toBe(3);
    expect(await page.locator('#cosines .cosine-cells rect').count()).toBeGreaterThan(0);
    const before = await page.locator('#statistics .task-line path').first().getAttribute('d');
    await page.locator('#statistics button', { hasText: 'linear' }).click();
    expect(await page.locator('#statistics .task-line path').first().getAttribute('d')).not.toBe(before);
    await close();
  });
});

function sum<T>(list: readonly T[], of: (item: T) => number): number {
  return list.reduce((total, item) => total + of(item), 0);
}

/** Points of all paths that a selector finds. */
async function corners(page: Page, selector: string): Promise<number> {
  const paths = await page
    .locator(selector)
    .evaluateAll((list) => list.map((path) => path.getAttribute('d')!));
  return sum(paths, (d) => (d.match(/[ML]/g) ?? []).length);
}

/** Smoothed norms and variances have a place on a logarithmic axis where they are above 0. */
function positive(runs: readonly LoggedRun[]): number {
  const all = runs.flatMap(({ updates }) =>
    updates.flatMap(({ smoothed }) => [...smoothed.normSquared, ...smoothed.variance]),
  );
  expect(all.every((x) => x !== null && x > 0)).toBe(true);
  return all.length / 2;
}

function upper<T>(matrix: readonly T[]): T[] {
  const K = Math.sqrt(matrix.length);
  return matrix.filter((_, i) => i % K > Math.floor(i / K));
}

function field(text: string): number | null {
  return text === '' ? null : Number(text);
}
