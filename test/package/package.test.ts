import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const json = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'));
const manifest = json('package.json');

const node = (code: string) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    encoding: 'utf8',
  });
  return { status, stdout: stdout.trim(), stderr };
};

describe('package', () => {
  it('builds from prepare and never from an install script', () => {
    expect(manifest.scripts.prepare).toBeTruthy();
    for (const script of ['preinstall', 'install', 'postinstall'])
      expect(manifest.scripts[script]).toBeUndefined();
    expect(manifest.gypfile).toBe(false);
  });

  it('has entry points that exist, with types', () => {
    for (const [name, entry] of Object.entries<string | Record<string, string>>(manifest.exports))
      for (const file of typeof entry === 'string' ? [entry] : Object.values(entry))
        expect(existsSync(join(root, file)), `${name}: ${file}`).toBe(true);
  });

  it('is loaded by import and by require', () => {
    const code = `
      import { createRequire } from 'node:module';
      import { Mixer } from 'pike-mixer';
      import { createTrainer } from 'pike-mixer/tfjs';
      import { createTrainer as createJaxTrainer } from 'pike-mixer/jax';
      import { createReferenceBackend } from 'pike-mixer/reference';
      const required = createRequire(process.cwd() + '/x.js')('pike-mixer');
      console.log(required.Mixer === Mixer, typeof createTrainer, typeof createJaxTrainer, typeof createReferenceBackend);`;
    expect(node(code)).toEqual({ status: 0, stdout: 'true function function function', stderr: '' });
  });

  it('leaves the event loop free to end: nothing keeps a process alive', () => {
    const started = performance.now();
    const { stdout } = node(`
      import { Mixer } from 'pike-mixer';
      const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 8 });
      for (const task of mixer.tasks)
        for (const x of [1, 2]) await mixer.observe(task, Float32Array.of(x), { samples: 1 });
      await mixer.update();
      console.log(mixer.backend.name);`);
    expect(stdout).toBe('cpu');
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('has a lockfile without download addresses', () => {
    const lock = json('package-lock.json');
    const named = Object.entries<{ resolved?: string }>(lock.packages).filter(([, { resolved }]) => resolved);
    expect(named).toEqual([]);
    expect(lock.packages[''].name).toBe('pike-mixer');
  });
});
