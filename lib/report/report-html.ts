/**
 * A report as one HTML page that needs nothing else: data, script and styles stand in it, and it may load nothing from
 * anywhere.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { PikeError } from '../errors.js';
import type { LoggedRun } from '../monitor/logged-run.js';
import { pageData } from './collect.js';

/** Of `reportHtml`. */
export interface ReportOptions {
  /** Heading of the page (default: 'Run report', or the run's name when there is one). */
  title?: string;
}

/**
 * The page. Long logs are thinned, which it says where it does: under some 8 MB for up to 128 tasks and 4 runs, however
 * many steps they have.
 *
 * @param runs at least one, such as `readRunLogs` gives
 * @throws PikeError `ERR_INVALID_OPTION` without a run or with a title that is no string, `ERR_INTERNAL` when the
 *   package lacks the page's script
 */
export function reportHtml(runs: readonly LoggedRun[], options: ReportOptions = {}): string {
  if (!Array.isArray(runs) || runs.length === 0)
    throw new PikeError('ERR_INVALID_OPTION', 'A report needs at least one run, but none was given.');
  const { title = runs.length === 1 ? `Run ${runs[0].label}` : 'Run report' } = options;
  if (typeof title !== 'string')
    throw new PikeError('ERR_INVALID_OPTION', `title must be a string, but is ${typeof title}.`);
  const script = part('page.js');
  const policy = [
    "default-src 'none'",
    `script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`,
    // Plot puts a <style> of its own into every figure.
    "style-src 'unsafe-inline'",
    'img-src data: blob:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeText(title)}</title>
<style>${part('page.css')}</style>
</head>
<body>
<main><noscript>This report is drawn by a script in the page, which is switched off here.</noscript></main>
<script type="application/json" id="data">${escapeJson(JSON.stringify(pageData(runs, title)))}</script>
<script>${script}</script>
</body>
</html>
`;
}

/** The bundle lies in dist/report, seen from there as well as from lib/report. */
function part(name: string): string {
  try {
    return readFileSync(new URL(`../../dist/report/${name}`, import.meta.url), 'utf8');
  } catch (cause) {
    throw new PikeError(
      'ERR_INTERNAL',
      `The report's ${name} is missing from this installation. In a checkout, npm run build:ts makes it.`,
      { cause },
    );
  }
}

/** Nothing in a string can end the script element, or begin a comment in it. */
function escapeJson(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function escapeText(text: string): string {
  const names: Record<string, string> = {
    '<': '&lt;',
    '>': '&gt;',
    '&': '&amp;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[<>&"']/g, (c) => names[c]);
}
