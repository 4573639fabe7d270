/** One update of the weights of 128 tasks by every rule. */
import { PikeError } from '../../dist/errors.js';
import type { WeightRule } from '../../dist/rules/rule.js';
import { rules } from '../../dist/rules/rules.js';
import type { Size } from '../../dist/throughput/size.js';
import { below, type Check, type PartReport, partReport, short } from '../report.js';
import { isNative, timeNative } from './native.js';
import { type Case, caseOf, KINDS } from './problems.js';
import { type Timed, timeTypescript } from './typescript.js';

/** K. */
const TASKS = 128;
/** Milliseconds for an update, median. */
const LIMIT = 1;
/** Of a rule whose problem is as large as K². */
const LIMITS: Readonly<Record<string, number>> = { gramian: 20 };
/** What native/math may differ by from the TypeScript. */
const WEIGHT_ERROR = 1e-12;

export const limitOf = (rule: string): number => LIMITS[rule] ?? LIMIT;

/** @param compiler of C++, where native/math is to be timed by another than c++ */
export async function update(
  size: Size,
  known: Readonly<Record<string, WeightRule>> = rules,
  compiler?: string,
): Promise<PartReport> {
  const notes: string[] = [];
  const cases = Object.values(known).flatMap((rule) => casesOf(rule, notes));
  const timed = await timeTypescript(cases, size);
  const found = timeNative(cases.filter(isNative), size, compiler);
  if (typeof found === 'string') notes.push(found);
  const native = typeof found === 'string' ? [] : found;
  const checks: Check[] = native.map(({ name, difference }) =>
    below(`${name}, native: largest difference of a weight`, difference, WEIGHT_ERROR),
  );
  // So short a run is over before the code is compiled.
  if (size === 'tiny') notes.push('Times are checked against their limits by longer runs only.');
  else checks.push(...timed.map(({ name, update }, i) => checkTime(name, update, cases[i].rule)));
  if (size !== 'tiny')
    checks.push(
      ...native.map((each) =>
        checkTime(`${each.name}, native`, each, cases.find(({ name }) => name === each.name)!.rule),
      ),
    );
  return partReport({
    checks,
    tables: [
      {
        title: `ms per update of ${TASKS} tasks, median (99 % of updates)`,
        head: ['', 'rule alone', 'whole update', 'native/math', 'limit'],
        rows: timed.map(({ name, rule, update: whole }, i) => {
          const other = native.find((each) => each.name === name);
          const show = ({ median, p99 }: Timed) => `${short(median)} (${short(p99)})`;
          return [
            name,
            show(rule),
            show(whole),
            other ? show(other) : '',
            String(limitOf(cases[i].rule.name)),
          ];
        }),
      },
    ],
    notes,
    data: { tasks: TASKS, typescript: timed, native },
  });
}

const checkTime = (name: string, { median }: Timed, rule: WeightRule): Check =>
  below(`${name}: ms per update`, median, limitOf(rule.name));

/** Both kinds; nothing, but a note, of a rule that needs what only its user knows. */
function casesOf(rule: WeightRule, notes: string[]): Case[] {
  try {
    const cases = Object.keys(KINDS).map((kind) => caseOf(rule, kind, TASKS));
    if (!rule.heedsSignificance) return cases;
    return [
      ...cases,
      { ...caseOf(rule, 'defaults', TASKS, { significance: 2 }), name: `${rule.name}, significance` },
    ];
  } catch (error) {
    if (!(error instanceof PikeError)) throw error;
    notes.push(`Skipped: ${rule.name}: ${error.message}`);
    return [];
  }
}
