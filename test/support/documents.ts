/**
 * Code blocks of the documentation, run as they stand there. The test of a document is `describeDocument`, in which
 * every block is taken once, in the order of the file; one that is left over is one that nothing runs, and fails.
 */
import { describe, expect, it } from 'vitest';
import { type Block, readMarkdown } from './markdown.js';

/** Blocks of these languages are lines for a shell: test/docs/all-documents.test.ts takes them all. */
export const SHELL = ['sh', 'bash'];

export class Examples {
  readonly #left: Block[];

  constructor(file: string) {
    this.#left = readMarkdown(file).blocks.filter(({ language }) => !SHELL.includes(language));
  }

  /** The next block of a language. Whoever takes it runs it, or the claim is false. */
  take(language: string): string {
    const index = this.#left.findIndex((block) => block.language === language);
    if (index < 0) throw new Error(`There is no further block of ${language}.`);
    return this.#left.splice(index, 1)[0].text;
  }

  get left(): string[] {
    return this.#left.map(({ place, language }) => `${place} (${language || 'no language'})`);
  }
}

/** The tests of a document, and that they take all of its blocks. A document has one such call in test/docs. */
export function describeDocument(file: string, tests: (examples: Examples) => void): void {
  describe(file, () => {
    const examples = new Examples(file);
    tests(examples);
    it('has no code block that no test runs', () => expect(examples.left).toEqual([]));
  });
}
