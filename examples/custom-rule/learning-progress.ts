import { initialState, multiplyWeights, type WeightRule, withoutTask } from 'pike-mixer';

/** How much of the average of losses stays from one update to the next. */
const smoothing = 0.9;

/**
 * A rule of one's own: more weight to the tasks whose loss is falling, after the idea of learning progress (Graves et al.
 * 2017, arXiv 1704.03003). With a_k the moving average of task k's loss, before and after this update,
 *
 *     w_k ← w_k · exp( rate · (a_k(before) − a_k)/|a_k(before)| )
 *
 * Everything it remembers stands in its state, as plain JSON; the options of the Mixer (floor, largest step, pull to the
 * initial weights) come for free with `multiplyWeights`.
 */
export function learningProgress({ rate = 5 }: { rate?: number } = {}): WeightRule {
  return {
    name: 'learning-progress',
    // No gradients: `mixer.update({ losses })` is enough.
    needs: { gradients: false, losses: true },
    init: (tasks, options) => ({
      ...initialState(options),
      averages: new Array<string>(tasks).fill('unknown'),
    }),
    // When a task leaves the mixture, its weight is shared out, and what is remembered of it goes.
    retire: (state, task, { options }) => ({
      ...withoutTask(state, task, options),
      averages: (state.averages as (number | 'unknown')[]).filter((_, k) => k !== task),
    }),
    update(state, { tasks }, { losses, options }) {
      const averages = [...(state.averages as (number | 'unknown')[])];
      // NaN makes a task keep its weight: here one without a loss, or without one before.
      const exponents = new Float64Array(tasks).fill(Number.NaN);
      for (let k = 0; k < tasks; k++) {
        const before = averages[k]!;
        const loss = losses![k]!;
        if (!Number.isFinite(loss)) continue;
        const after = before === 'unknown' ? loss : smoothing * before + (1 - smoothing) * loss;
        if (before !== 'unknown')
          exponents[k] = before === 0 ? 0 : (rate * (before - after)) / Math.abs(before);
        averages[k] = after;
      }
      const result = multiplyWeights(state, exponents, options);
      return { ...result, state: { ...result.state, averages } };
    },
  };
}
