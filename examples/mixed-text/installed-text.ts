import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * Text that `npm ci` leaves on disk. Both packages below are the same files on every platform for one
 * lockfile, so all machines train on the same bytes.
 */
const require = createRequire(import.meta.url);

/**
 * English prose: the documentation of Node.js, which @types/node carries as doc comments. Only whole paragraphs
 * of sentences are kept, each once; code, tags and markup are dropped. One document per declaration file.
 */
export function nodeDocumentation(): Uint8Array[] {
  const root = dirname(require.resolve('@types/node/package.json'));
  const seen = new Set<string>();
  return declarationFiles(root).map((file) => {
    const paragraphs = docComments(readFileSync(file, 'utf8'))
      .flatMap(paragraphsOf)
      .filter((paragraph) => isProse(paragraph) && !seen.has(paragraph) && seen.add(paragraph));
    return Buffer.from(paragraphs.map((paragraph) => paragraph + '\n').join(''));
  });
}

/** The TypeScript compiler's messages in one of its languages, a line each. */
export function compilerMessages(language: string): Uint8Array[] {
  const file = join(dirname(require.resolve('typescript')), language, 'diagnosticMessages.generated.json');
  const messages = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
  return [Buffer.from(Object.values(messages).join('\n'))];
}

function declarationFiles(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  // Sorted by code unit: the order a file system lists them in is its own.
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return declarationFiles(path);
    return entry.name.endsWith('.d.ts') ? [path] : [];
  });
}

function docComments(code: string): string[] {
  return [...code.matchAll(/\/\*\*([\s\S]*?)\*\//g)].map((match) => match[1]!.replace(/^\s*\* ?/gm, ''));
}

function paragraphsOf(comment: string): string[] {
  const text = comment
    .replace(/```[\s\S]*?(```|$)/g, '')
    // Everything from the first tag on is a table of parameters rather than sentences.
    .replace(/(^|\n)\s*@[\s\S]*$/, '');
  return text.split(/\n\s*\n/).map((paragraph) =>
    paragraph
      .replace(/\{@link\s+([^}]*)\}/g, '$1')
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/`|\*\*/g, '')
      .replace(/\s+/g, ' ')
      .trim(),
  );
}

function isProse(paragraph: string): boolean {
  return paragraph.length >= 60 && /^[A-Z"'(]/.test(paragraph) && paragraph.endsWith('.');
}
