/** Laying out text. */

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
