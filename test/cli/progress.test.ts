/** Progress: a bar on a terminal, lines now and then elsewhere. */
import { describe, expect, it, vi } from 'vitest';
import { createProgress, formatSeconds } from '../../lib/cli/progress.js';
import { catchingIo } from './run-cli.js';

describe('progress', () => {
  it('without a terminal writes a line every two seconds, and none before', () => {
    const { io, printed } = catchingIo();
    let seconds = 0;
    const progress = createProgress(io, 10, () => seconds);
    for (let i = 1; i <= 10; i++) {
      seconds = i / 2;
      progress.update(i, `part ${i}`);
    }
    progress.stop();
    expect(printed()).toEqual({ out: '', err: '40 %  3 s left  part 4\n80 %  1 s left  part 8\n' });
  });

  it('says nothing lasting of what is quick', () => {
    const { io, printed } = catchingIo();
    const progress = createProgress(io, 2, () => 0);
    progress.update(1);
    progress.update(2);
    progress.stop();
    expect(printed()).toEqual({ out: '', err: '' });
  });

  it('on a terminal redraws a bar, then clears it and gives the cursor back', () => {
    const { io, printed } = catchingIo({ terminal: true });
    const progress = createProgress(io, 4);
    progress.update(3, 'float32');
    progress.stop();
    const { out, err } = printed();
    expect(out).toBe('');
    expect(err).toMatch(/█{15}░{5} 75 % .*float32/);
    const after = err.slice(err.lastIndexOf('█'));
    // Cursor shown, line cleared.
    expect(after).toContain('\x1b[?25h');
    expect(after).toContain('\x1b[0K');
    expect(err).not.toContain('\n');
  });

  it('gives the cursor back before a signal ends the command, and swallows none', () => {
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    try {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        const before = process.listenerCount(signal);
        const { io, printed } = catchingIo({ terminal: true });
        createProgress(io, 4).update(1);
        process.emit(signal, signal);
        expect(kill).toHaveBeenLastCalledWith(process.pid, signal);
        expect(process.listenerCount(signal)).toBe(before);
        expect(printed().err).toContain('\x1b[?25h');
      }
    } finally {
      kill.mockRestore();
    }
  });

  it('shortens times', () => {
    expect([0.2, 59, 61].map(formatSeconds)).toEqual(['1 s', '59 s', '1 min 1 s']);
  });
});
