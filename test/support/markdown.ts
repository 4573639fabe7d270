/** The project's Markdown files as tests see them: fenced blocks, anchors of headings, links, words in backquotes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(fileURLToPath(new URL('../..', import.meta.url)));

export interface Block {
  readonly language: string;
  /** Without the fences, with a newline at the end. */
  readonly text: string;
  /** As 'docs/guide.md:12'. */
  readonly place: string;
}
export interface Mark {
  readonly text: string;
  readonly place: string;
}
export interface Markdown {
  readonly file: string;
  readonly blocks: readonly Block[];
  /** What a link to a heading of this file has behind '#'. */
  readonly anchors: ReadonlySet<string>;
  readonly links: readonly Mark[];
  readonly code: readonly Mark[];
}

/** Folders of no document of ours: those that git ignores, and git's own. */
const skipped = new Set([
  '.git',
  ...readFileSync(join(root, '.gitignore'), 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('/'))
    .map((line) => line.slice(0, -1)),
]);

/** No document of ours: texts of licences. */
const foreign = ['THIRD_PARTY_LICENSES.md'];

/** All Markdown files of the project, relative to its root. */
export function markdownFiles(folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : markdownFiles(path);
    return entry.name.endsWith('.md') && !foreign.includes(path) ? [path] : [];
  });
}

export function readMarkdown(file: string): Markdown {
  return parseMarkdown(file, readFileSync(join(root, file), 'utf8'));
}

export function parseMarkdown(file: string, text: string): Markdown {
  const blocks: Block[] = [];
  const anchors = new Set<string>();
  // What stands outside of fences, with empty lines for the rest, so that numbers of lines stay.
  const prose: string[] = [];
  let open: { fence: string; language: string; lines: string[]; place: string } | null = null;
  for (const [i, line] of text.split('\n').entries()) {
    const fence = line.match(/^\s*(```+|~~~+)\s*(\S*)/);
    prose.push(open || fence ? '' : line);
    if (open) {
      if (fence?.[1].startsWith(open.fence) && fence[2] === '') {
        blocks.push({
          language: open.language,
          text: open.lines.map((l) => l + '\n').join(''),
          place: open.place,
        });
        open = null;
      } else open.lines.push(line);
    } else if (fence) open = { fence: fence[1], language: fence[2], lines: [], place: `${file}:${i + 1}` };
    else {
      const heading = line.match(/^#{1,6}\s+(.*)$/);
      if (heading) anchors.add(freshAnchor(heading[1], anchors));
    }
  }
  if (open) throw new Error(`${open.place}: the fence is never closed`);
  const outside = prose.join('\n');
  const placeOf = (index: number) => `${file}:${outside.slice(0, index).split('\n').length}`;
  const marks = (pattern: RegExp): Mark[] =>
    Array.from(outside.matchAll(pattern), (match) => ({
      text: match[1].replaceAll(/\s*\n\s*/g, ' '),
      place: placeOf(match.index),
    }));
  return {
    file,
    blocks,
    anchors,
    links: marks(/\]\(([^()\s]+)\)/g),
    code: marks(/`([^`]+)`/g),
  };
}

/** As GitHub and typedoc make them: letters, digits, '_' and '-' stay, a repeated one gets a number. */
function freshAnchor(heading: string, taken: ReadonlySet<string>): string {
  const plain = heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
    .trim()
    .replaceAll(' ', '-');
  for (let n = 0; ; n++) {
    const anchor = n === 0 ? plain : `${plain}-${n}`;
    if (!taken.has(anchor)) return anchor;
  }
}
