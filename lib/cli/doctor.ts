/** `pike-mixer doctor`: whether the native backends work here, and if not, why. */
import { Command } from 'commander';
import { diagnose } from '../diagnosis/diagnose.js';
import type { Diagnosis } from '../diagnosis/diagnosis.js';
import { CommandFailure, EXIT } from './exit-codes.js';
import { type Io, printJson } from './io.js';
import { printable, wrap } from './text.js';

const EXAMPLES = `
Examples:
  $ pike-mixer doctor          a page to read, with advice
  $ pike-mixer doctor --json   the same for a program, or for a bug report

Ends with 1 when the native addon cannot be used. That there is no GPU is no failure.
`;

export function doctorCommand(io: Io): Command {
  return new Command('doctor')
    .summary('say whether the native backends work here, and why not')
    .description(
      'Says which backends can be had on this machine, which one is used, and why not a better one.',
    )
    .option('--json', 'print one JSON document')
    .addHelpText('after', EXAMPLES)
    .action(async (options: { json?: boolean }) => {
      const diagnosis = await diagnose();
      if (options.json) printJson(io, diagnosis);
      else io.out(describe(diagnosis, io.columns));
      if (!diagnosis.healthy) throw new CommandFailure(EXIT.checkFailed);
    });
}

/** Behind the longest heading. */
const INDENT = 14;

function describe(diagnosis: Diagnosis, columns: number): string {
  const section = (heading: string, lines: readonly string[]) =>
    lines
      .map((line, i) =>
        wrap(printable(line), columns, (i === 0 ? heading : '').padEnd(INDENT), ' '.repeat(INDENT + 2)),
      )
      .join('');
  const { advice, healthy } = diagnosis;
  return [
    section('pike-mixer', aboutSystem(diagnosis)),
    section('addon', aboutAddon(diagnosis)),
    section('processor', aboutProcessor(diagnosis)),
    section('CUDA', aboutCuda(diagnosis)),
    section('auto', aboutAuto(diagnosis)),
    section('stacks', aboutStacks(diagnosis)),
    section('environment', aboutEnvironment(diagnosis)),
    advice.length > 0 ? '\nAdvice\n' : '',
    ...advice.map(({ text }) => wrap(printable(text), columns, '- ', '  ')),
    `\n${healthy ? 'The native addon works here.' : 'The native addon cannot be used here.'}\n`,
  ].join('');
}

function aboutSystem({ version, node }: Diagnosis): string[] {
  const { name, version: release } = node.libc;
  const library = name === null ? '' : `, ${name}${release === null ? '' : ` ${release}`}`;
  return [`${version}, with Node.js ${node.version.slice(1)} on ${node.platform} ${node.arch}${library}`];
}

function aboutAddon({ addon }: Diagnosis): string[] {
  const failed = addon.candidates.flatMap(({ path, failure }) =>
    failure === null ? [] : [`${addon.path === null ? '' : 'not '}${path}: ${failure.cause}`],
  );
  if (addon.path === null) return ['none could be loaded:', ...failed];
  const { compiler, nodeApi } = addon.build!;
  return [addon.path, ...failed, `built with ${compiler}, for Node-API ${nodeApi}`];
}

function aboutProcessor({ processor, addon }: Diagnosis): string[] {
  const { model, available, defaultThreads } = processor;
  const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;
  const lines = [`${model}, ${count(available, 'processor')} for this process`];
  const set = addon.instructionSet;
  if (set) lines.push(`kernels for ${set.inUse} in use; usable here: ${set.usable.join(', ')}`);
  if (set?.complaint) lines.push(set.complaint);
  return [...lines, `up to ${count(defaultThreads, 'thread')} by default`];
}

function aboutCuda({ cuda, addon }: Diagnosis): string[] {
  if (addon.path === null) return ['not known without the addon'];
  const lines = [
    cuda.compiled
      ? `compiled in: ${cuda.runtimeVersion}, for ${cuda.architectures.join(', ')}`
      : 'not compiled in',
  ];
  if (cuda.driverVersion) lines.push(`the driver serves CUDA ${cuda.driverVersion}`);
  if (cuda.system.kernelDriver) lines.push(`NVIDIA driver ${cuda.system.kernelDriver} in the kernel`);
  for (const [i, { name, computeCapability }] of cuda.devices.entries())
    lines.push(`GPU ${i}: ${name}, compute capability ${computeCapability}`);
  if (!cuda.usable) lines.push(`cannot be used: ${cuda.reason}`);
  return lines;
}

function aboutAuto({ auto }: Diagnosis): string[] {
  return [
    `gradients in host memory: ${auto.host.backend ?? 'none'} (${auto.host.reason})`,
    // Why there is none has been said above.
    `gradients in GPU memory: ${auto.device.backend === null ? 'none' : `cuda (${auto.device.reason})`}`,
  ];
}

function aboutStacks({ stacks }: Diagnosis): string[] {
  const installed = stacks.filter(({ version }) => version !== null);
  return installed.length > 0
    ? installed.map(({ name, version }) => `${name} ${version}`)
    : ['none found from here'];
}

function aboutEnvironment({ environment }: Diagnosis): string[] {
  const set = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return set.length > 0 ? set : ['no variable of pike-mixer or CUDA is set'];
}
