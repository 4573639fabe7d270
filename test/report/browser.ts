/** A browser for tests of the report's page: headless Chromium, where one is installed. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const places = [
  process.env.PIKE_TEST_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** null where there is none; in CI (PIKE_TEST_BROWSER=1) that is a failure. */
export function browserPath(): string | null {
  const found = places.find((place) => place && existsSync(place));
  if (found) return found;
  if (process.env.PIKE_TEST_BROWSER === '1')
    throw new Error('PIKE_TEST_BROWSER asks for the tests of the page, but no Chromium is installed.');
  console.warn(
    'No Chromium is installed (or named by PIKE_TEST_CHROMIUM): the page of reports is not tested.',
  );
  return null;
}

export function launch(executablePath: string): Promise<Browser> {
  const { LD_PRELOAD: _, ...env } = process.env; // what test/stress/sanitize.mjs puts there is for Node.js
  return chromium.launch({
    executablePath,
    env,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

export interface Opened {
  page: Page;
  /** Console errors and warnings, uncaught errors, dialogs. */
  trouble: string[];
  /** Requests for anything that is not in the page. */
  requests: string[];
  close(): Promise<void>;
}

export interface View {
  width?: number;
  height?: number;
  colorScheme?: 'light' | 'dark';
  hasTouch?: boolean;
}

/** Opens a file, and waits until it is drawn. */
export async function open(browser: Browser, file: string, view: View = {}): Promise<Opened> {
  const { width = 1280, height = 900, colorScheme = 'light', hasTouch = false } = view;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme,
    hasTouch,
    acceptDownloads: true,
  });
  const page = await context.newPage();
  const trouble: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) trouble.push(message.text());
  });
  page.on('pageerror', (error) => trouble.push(String(error)));
  page.on('dialog', (dialog) => {
    trouble.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && request.url() !== `file://${file}`)
      requests.push(request.url());
  });
  await page.goto(`file://${file}`);
  await page.waitForSelector('html[data-drawn]');
  return { page, trouble, requests, close: () => context.close() };
}

/** The figure's CSV file, as rows of fields. */
export async function csvOf(page: Page, section: string): Promise<Record<string, string>[]> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.locator(`#${section} .tools button:text-is("CSV")`).click(),
  ]);
  const stream = await download.createReadStream();
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  const [head, ...rows] = parseCsv(Buffer.concat(chunks).toString('utf8'));
  return rows.map((row) => Object.fromEntries(head.map((name, i) => [name, row[i]])));
}

export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === '\r\n') {
      rows.push(row);
      row = [];
    }
  }
  return rows;
}
