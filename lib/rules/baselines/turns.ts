/**
 * Whole batches of one task at a time: the strategies "Round-Robin" and "Random" that Li et al., arXiv 2502.06244,
 * compare mixed batches with.
 *
 *     round-robin   the tasks in turn, in their order
 *     random        a task drawn at random by the initial weights (uniform unless given)
 *
 * The turn passes on at every update, so by default there is one before every batch (`updateInterval` 1); an interval of T
 * makes turns of T batches. With a floor (`minWeight`, 0 by default) the others keep that much of each batch.
 */
import { PikeError } from '../../errors.js';
import { show } from '../../validate.js';
import {
  decodeLogWeights,
  encodeLogWeights,
  type RuleDefaults,
  type RuleOptions,
  type RuleState,
  type WeightRule,
} from '../rule.js';
import { onFloor, projectOntoFloor } from '../simplex.js';
import { decodeCount } from './parameters.js';
import { counterRandom } from './random.js';

const needs = { gradients: false };
const defaults: RuleDefaults = { updateInterval: 1, minWeight: 0, maxLogStep: Infinity, priorPull: 0 };

export const roundRobinRule: WeightRule = {
  name: 'round-robin',
  needs,
  defaults,
  init(tasks, options) {
    refuseSteps('round-robin', options);
    return { logWeights: encodeLogWeights(oneTask(tasks, 0, options)), turn: 0, since: 0 };
  },
  update(state, { tasks }, { step, options }) {
    const turn = decodeTask('round-robin', state, tasks);
    const since = decodeCount('round-robin', state, 'since');
    // An update before the first batch of a turn, such as the one at step 0, must not skip that turn.
    const next = step === since ? turn : (turn + 1) % tasks;
    return result(oneTask(tasks, next, options), options, { turn: next, since: step });
  },
  retire(state, task, { step, options }) {
    const rest = state.logWeights.length - 1;
    const turn = decodeTask('round-robin', state, rest + 1);
    // Whose turn it was hands it to the next in line, for as long as a turn lasts.
    const next = (turn > task ? turn - 1 : turn) % rest;
    const since = turn === task ? step : decodeCount('round-robin', state, 'since');
    return { logWeights: encodeLogWeights(oneTask(rest, next, options)), turn: next, since };
  },
};

export const randomRule: WeightRule = {
  name: 'random',
  needs,
  defaults,
  init(tasks, options) {
    refuseSteps('random', options);
    const first = drawTask(options, 0);
    return { logWeights: encodeLogWeights(oneTask(tasks, first, options)), draws: 1 };
  },
  update(state, { tasks }, { options }) {
    const draws = decodeCount('random', state, 'draws');
    return result(oneTask(tasks, drawTask(options, draws), options), options, { draws: draws + 1 });
  },
  retire(state, task, { options }) {
    const rest = state.logWeights.length - 1;
    const draws = decodeCount('random', state, 'draws');
    const drawn = heaviest(decodeLogWeights(state.logWeights, rest + 1));
    const next = drawn === task ? drawTask(options, draws) : drawn > task ? drawn - 1 : drawn;
    const logWeights = encodeLogWeights(oneTask(rest, next, options));
    return { logWeights, draws: drawn === task ? draws + 1 : draws };
  },
};

/** Draw number `index` of the options' seed, by the initial weights. */
function drawTask({ seed, initialWeights }: RuleOptions, index: number): number {
  const u = counterRandom(seed, index);
  let sum = 0;
  let last = 0;
  for (const [k, w] of initialWeights.entries()) {
    if (w === 0) continue;
    sum += w;
    last = k;
    if (u < sum) return k;
  }
  // The weights sum to 1 but for rounding.
  return last;
}

/** The task that a batch goes to. */
function heaviest(logWeights: Float64Array): number {
  return logWeights.indexOf(Math.max(...logWeights));
}

function oneTask(tasks: number, task: number, { minWeight }: RuleOptions): Float64Array {
  const logWeights = new Float64Array(tasks).fill(-Infinity);
  logWeights[task] = 0;
  return projectOntoFloor(logWeights, minWeight);
}

function result(logWeights: Float64Array, { minWeight }: RuleOptions, more: Omit<RuleState, 'logWeights'>) {
  return {
    state: { logWeights: encodeLogWeights(logWeights), ...more },
    floored: onFloor(logWeights, minWeight),
    limited: false,
  };
}

function decodeTask(rule: string, state: RuleState, tasks: number): number {
  const turn = decodeCount(rule, state, 'turn');
  if (turn < tasks) return turn;
  throw new PikeError(
    'ERR_STATE',
    `turn in a state of rule '${rule}' must be a task below ${tasks}, but is ${show(turn)}.`,
  );
}

/** A whole batch is no step from the one before: what shortens steps or pulls them back would be ignored. */
function refuseSteps(name: string, { maxLogStep, priorPull }: RuleOptions): void {
  if (maxLogStep === Infinity && priorPull === 0) return;
  throw new PikeError(
    'ERR_INVALID_OPTION',
    `rule '${name}' gives whole batches to one task at a time: maxLogStep and priorPull have no meaning for it; leave them out.`,
  );
}
