/** Text as a terminal can be given it. */

/** Control characters, and what turns the direction of writing or ends a line. */
const UNPRINTABLE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/**
 * One line of text that is not ours (names in a log, paths, options, messages of the system), with all that could move the
 * cursor, colour what follows or pretend to be another line shown as an escape: \u001b.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The same for text whose line ends are ours. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/**
 * Breaks a paragraph at spaces into lines of at most `columns` characters, where words allow.
 *
 * @param first what the first line begins with @param indent what the others begin with
 */
export function wrap(text: string, columns: number, first = '', indent = ' '.repeat(first.length)): string {
  const lines: string[] = [];
  let line = first;
  let fresh = true;
  for (const word of text.split(' ')) {
    if (!fresh && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = indent;
      fresh = true;
    }
    line += (fresh ? '' : ' ') + word;
    fresh = false;
  }
  return [...lines, line].join('\n') + '\n';
}
