/** `pike-mixer doctor`: whether the native addon works here, and if not, why. */
import { Command } from 'commander';
import { loadAddon } from '../backends/load-addon.js';
import { CommandFailure, EXIT } from './exit-codes.js';
import { type Io, printJson } from './io.js';

const EXAMPLES = `
Examples:
  $ pike-mixer doctor          a page to read, with advice
  $ pike-mixer doctor --json   the same for a program, or for a bug report
`;

export function doctorCommand(io: Io): Command {
  return new Command('doctor')
    .summary('say whether the native backends work here, and why not')
    .description(
      'Says which backends can be had on this machine, which one is used, and why not a better one.',
    )
    .option('--json', 'print one JSON document')
    .addHelpText('after', EXAMPLES)
    .action((options: { json?: boolean }) => {
      const { path, reasons } = loadAddon();
      if (options.json) printJson(io, { path, reasons });
      else io.out(`addon: ${path ?? reasons.join('; ')}\n`);
      if (path === null) throw new CommandFailure(EXIT.checkFailed);
    });
}
