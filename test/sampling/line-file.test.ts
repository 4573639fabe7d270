/** Text and JSON Lines files as sources. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { jsonLines, textLines } from '../../lib/index.js';
import { lineSource } from '../../lib/sampling/line-file.js';
import { expectResumable, pass, readAll } from '../support/cursors.js';
import { expectError } from '../support/expect.js';

const root = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'pike-mixer-lines-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function fileOf(content: string | Buffer): string {
  const path = join(folder, `${files++}.txt`);
  writeFileSync(path, content);
  return path;
}
/** Lines read in chunks of so many bytes. */
const inChunks = (path: string, bytes: number, longest = 2 ** 24) =>
  lineSource('textLines', path, { maxLineBytes: longest }, (text) => text, bytes);

describe('textLines', () => {
  it.each<[string, string, string[]]>([
    ['nothing', '', []],
    ['one line', 'a\n', ['a']],
    ['a last line without an end', 'a\nb', ['a', 'b']],
    ['CRLF', 'a\r\nb\r\n', ['a', 'b']],
    ['a mixture of ends', 'a\r\nb\nc\r\nd', ['a', 'b', 'c', 'd']],
    ['empty lines', '\n\na\n\n', ['', '', 'a', '']],
    ['empty lines with CRLF', '\r\n\r\na', ['', '', 'a']],
    ['a lone CR, which ends nothing', 'a\rb\n\r\r\n', ['a\rb', '\r']],
    ['a CR at the very end', 'a\r', ['a\r']],
    ['a byte order mark', '\ufeffa\n\ufeffb\n', ['a', '\ufeffb']],
    ['a byte order mark alone', '\ufeff', ['']],
    ['a byte order mark and an end', '\ufeff\r\nx', ['', 'x']],
    ['other letters', 'हिन्दी\n日本\u2028語\n🙂🙃\n\0\n', ['हिन्दी', '日本\u2028語', '🙂🙃', '\0']],
  ])('reads %s', async (_, content, lines) => {
    const path = fileOf(content);
    const { samples, indices } = await pass(textLines(path));
    expect(samples).toEqual(lines);
    expect(indices).toEqual(lines.map((_, i) => i + 1));
    for (const bytes of [1, 2, 3, 5, 7]) expect((await pass(inChunks(path, bytes))).samples).toEqual(lines);
    await expectResumable(() => textLines(path));
    await expectResumable(() => inChunks(path, 3), { count: 2 });
  });

  it('reads any lines in chunks of any size, and goes on from every position', async () => {
    const line = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 20 }),
      fc.string({ unit: 'binary', maxLength: 9 }),
      fc.constantFrom('', ' ', '\ufeff', 'x'.repeat(100)),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          line.map((text) => text.replace(/[\r\n]|\p{Surrogate}/gu, '')),
          { maxLength: 12 },
        ),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        fc.integer({ min: 1, max: 40 }),
        async (lines, end, ended, bytes) => {
          // A first line that begins with a mark would be read as one with a mark before it.
          if (lines[0]?.startsWith('\ufeff')) lines[0] = 'x' + lines[0];
          if (lines.at(-1) === '' && !ended) lines.pop();
          if (lines.at(-1) === '' && !ended) ended = true;
          const path = fileOf(lines.join(end) + (ended && lines.length > 0 ? end : ''));
          expect((await pass(inChunks(path, bytes))).samples).toEqual(lines);
          await expectResumable(() => inChunks(path, bytes));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('passes over blank lines when asked to, with the numbers of the file', async () => {
    const path = fileOf('a\n\n \t\nb\n\n');
    const source = () => textLines(path, { skipBlank: true });
    expect(await pass(source())).toEqual({ samples: ['a', 'b'], indices: [1, 4] });
    await expectResumable(source);
  });

  it('begins every pass at the start, for any epoch and for cursors side by side', async () => {
    const source = textLines(pathToFileURL(fileOf('a\nb\nc\n')));
    const [first, second] = [source.open(0, 1), source.open(5, 2)];
    expect((await first.read(2)).samples).toEqual(['a', 'b']);
    expect((await second.read(1)).samples).toEqual(['a']);
    expect((await first.read(2)).samples).toEqual(['c']);
    expect((await second.read(3)).samples).toEqual(['b', 'c']);
    for (const cursor of [first, second]) await cursor.close();
  });

  it('names the line that is not UTF-8, and takes nothing', async () => {
    const path = fileOf(
      Buffer.concat([Buffer.from('ok\nfine\nbad '), Buffer.from([0xff, 0xfe]), Buffer.from('\nok\n')]),
    );
    const cursor = textLines(path).open(0, 1);
    for (let i = 0; i < 2; i++)
      await expectError('ERR_SOURCE', /^Line 3 of .*\.txt is not UTF-8/, () => cursor.read(4));
    expect(cursor.position()).toEqual({ byte: 0, line: 0 });
    expect((await cursor.read(2)).samples).toEqual(['ok', 'fine']);
    await expectError('ERR_SOURCE', /^Line 3 of/, () => cursor.read(1));
    await cursor.close();
    const cut = fileOf(Buffer.from('é').subarray(0, 1));
    await expectError('ERR_SOURCE', /^Line 1 of .* is not UTF-8/, () => pass(textLines(cut)));
  });

  it('reads lines up to the longest allowed, and names one that is longer', async () => {
    const path = fileOf(`${'x'.repeat(100)}\r\n${'é'.repeat(50)}\n${'x'.repeat(101)}\nb\n`);
    for (const bytes of [3, 64, 1000]) {
      const cursor = inChunks(path, bytes, 101).open(0, 1);
      expect((await cursor.read(4)).samples.map((line) => line.length)).toEqual([100, 50, 101, 1]);
      await cursor.close();
      const short = inChunks(path, bytes, 100).open(0, 1);
      await expectError('ERR_SOURCE', /cannot be read at line 1: it has more than 100 bytes/, () =>
        short.read(1),
      );
      await short.close();
      const exact = inChunks(path, bytes, 101).open(0, 1);
      expect((await exact.read(3)).samples).toHaveLength(3);
      await exact.close();
    }
  });

  it('does not read a file into memory to see that a line is too long', async () => {
    const path = join(folder, 'sparse');
    const file = openSync(path, 'w');
    ftruncateSync(file, 2 ** 34);
    closeSync(file);
    const cursor = textLines(path).open(0, 1);
    await expectError('ERR_SOURCE', /line 1: it has more than 16777216 bytes/, () => cursor.read(1));
    await cursor.close();
    rmSync(path);
  });

  it('names a file that cannot be read, and reads it once it can be', async () => {
    const path = join(folder, 'late.txt');
    const cursor = textLines(path).open(0, 1);
    const error = await expectError('ERR_SOURCE', /late\.txt cannot be read at line 1: ENOENT/, () =>
      cursor.read(1),
    );
    expect((error.cause as NodeJS.ErrnoException).code).toBe('ENOENT');
    writeFileSync(path, 'here\n');
    expect((await cursor.read(1)).samples).toEqual(['here']);
    await cursor.close();
    await expectError('ERR_SOURCE', /EISDIR/, () => pass(textLines(folder)));
  });

  it('an aborted read takes nothing, and a closed cursor gives nothing', async () => {
    const path = fileOf('line\n'.repeat(50_000));
    const cursor = textLines(path).open(0, 1);
    await cursor.read(10);
    const stop = new AbortController();
    const reason = new Error('stop');
    const read = cursor.read(40_000, stop.signal);
    setImmediate(() => stop.abort(reason));
    await expect(read).rejects.toBe(reason);
    expect(cursor.position()).toEqual({ byte: 50, line: 10 });
    expect((await readAll(cursor, 1000)).indices[0]).toBe(11);
    await cursor.close();
    await cursor.close();
    await expectError('ERR_DISPOSED', /closed/, () => cursor.read(1));
    const closing = textLines(path).open(0, 1);
    const refused = expectError('ERR_DISPOSED', /closed/, () => closing.read(50_000));
    await closing.close();
    await refused;
  });

  it('refuses a position at which no line begins', async () => {
    const path = fileOf('abc\ndef\n');
    for (const byte of [1, 3, 5, 9, 100]) {
      const cursor = textLines(path).open(0, 1, { byte, line: 1 });
      await expectError('ERR_STATE', new RegExp(`begins at byte ${byte}, where`), () => cursor.read(1));
      expect(cursor.position()).toEqual({ byte, line: 1 });
      await cursor.close();
    }
    truncateSync(path, 4);
    const cursor = textLines(path).open(0, 1, { byte: 8, line: 2 });
    await expectError('ERR_STATE', /another file/, () => cursor.read(1));
    await cursor.close();
    for (const position of [{ byte: -1, line: 0 }, { byte: 0 }, 'x', { byte: 0, line: 0, more: 1 }])
      await expectError('ERR_STATE', /no position in/, () => textLines(path).open(0, 1, position));
  });

  it('refuses options and paths that are none', async () => {
    for (const path of ['', undefined, 3, {}])
      await expectError('ERR_INVALID_OPTION', /textLines takes the path/, () => textLines(path as never));
    for (const maxLineBytes of [0, 1.5, '8'])
      await expectError('ERR_INVALID_OPTION', /maxLineBytes/, () =>
        textLines('x', { maxLineBytes } as never),
      );
    await expectError('ERR_INVALID_OPTION', /skipBlank/, () => textLines('x', { skipBlank: 1 } as never));
    await expectError('ERR_INVALID_OPTION', /"shuffle"/, () => jsonLines('x', { shuffle: 1 } as never));
  });
});

describe('jsonLines', () => {
  it('reads values of every kind, and passes over blank lines', async () => {
    const path = fileOf('\ufeff{"a":[1]}\r\n\n3\nnull\n  \n"é\\n"\n[]');
    expect(await pass(jsonLines(path))).toEqual({
      samples: [{ a: [1] }, 3, null, 'é\n', []],
      indices: [1, 3, 4, 6, 7],
    });
    await expectResumable(() => jsonLines(path));
    await expectResumable(() => jsonLines(fileOf('\n\n')));
  });

  it('names file and line of what is no JSON, and takes nothing', async () => {
    const path = fileOf('{"a":1}\n\n{"a":2,}\n{"a":3}\n');
    const cursor = jsonLines(path).open(0, 1);
    const error = await expectError('ERR_SOURCE', /^Line 3 of .*\.txt is no JSON: /, () => cursor.read(2));
    expect(error.message).toContain(path);
    expect(error.cause).toBeInstanceOf(SyntaxError);
    expect((await cursor.read(1)).samples).toEqual([{ a: 1 }]);
    await cursor.close();
  });
});

describe('memory', () => {
  const program = (path: string) => `
    import { textLines } from 'pike-mixer';
    const cursor = textLines(${JSON.stringify(path)}).open(0, 1);
    let lines = 0;
    for (let n; (n = (await cursor.read(256)).samples.length) > 0; ) lines += n;
    await cursor.close();
    console.log(lines, process.resourceUsage().maxRSS);`;
  const measure = (path: string) => {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--max-semi-space-size=2', '--input-type=module', '-e', program(path)],
      { cwd: root, encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    const [lines, kilobytes] = stdout.split(' ').map(Number);
    return { lines, megabytes: kilobytes / 1024 };
  };

  it('is that of a chunk, not of the file', () => {
    const path = join(folder, 'large.txt');
    const file = openSync(path, 'w');
    const block = `${'some text of a line, '.repeat(20)}\n`.repeat(5000);
    for (let i = 0; i < 80; i++) writeSync(file, block);
    closeSync(file);
    expect(statSync(path).size).toBeGreaterThan(160e6);
    const small = measure(fileOf('a\n'));
    const large = measure(path);
    expect([small.lines, large.lines]).toEqual([1, 400_000]);
    expect(large.megabytes - small.megabytes).toBeLessThan(40);
    rmSync(path);
  });
});
