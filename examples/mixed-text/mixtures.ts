import { base64Noise, serverLog } from './generated-text.js';
import { compilerMessages, nodeDocumentation } from './installed-text.js';
import { Source } from './sources.js';
import { readUserText } from './user-text.js';

/** The sources a model is trained on, and the fixed mixture that PiKE is compared with beside the uniform one. */
export interface Mixture {
  sources: Source[];
  staticWeights: number[];
  /** Where `staticWeights` come from, for the results. */
  staticOrigin: string;
}

export const mixtureNames = ['default', 'languages'] as const;
export type MixtureName = (typeof mixtureNames)[number];

const generatedBytes = 300_000;

/**
 * `default` was picked because PiKE helps there: two of its three sources go flat, one learned and one that
 * cannot be learned, while the third goes on improving. `languages` is the counter-example: three sources that
 * all keep improving, for which uniform weights are about the best.
 */
export function builtInMixture(name: MixtureName, context: number): Mixture {
  if (name === 'languages') {
    const languages = { german: 'de', russian: 'ru', japanese: 'ja' };
    return bySize(
      Object.entries(languages).map(([task, folder]) => new Source(task, compilerMessages(folder), context)),
    );
  }
  return {
    sources: [
      new Source('prose', nodeDocumentation(), context),
      new Source('base64', base64Noise(generatedBytes), context),
      new Source('log', serverLog(generatedBytes), context),
    ],
    staticWeights: [0.6, 0.2, 0.2],
    staticOrigin: 'found by hand',
  };
}

/** The user's own text, a task each. */
export function userMixture(tasks: readonly { name: string; path: string }[], context: number): Mixture {
  return bySize(tasks.map(({ name, path }) => new Source(name, readUserText(name, path), context)));
}

/** Without a better idea, sources are commonly mixed in proportion to how much there is of each. */
function bySize(sources: Source[]): Mixture {
  const total = sources.reduce((sum, source) => sum + source.trainBytes, 0);
  return {
    sources,
    staticWeights: sources.map((source) => source.trainBytes / total),
    staticOrigin: 'in proportion to size',
  };
}
