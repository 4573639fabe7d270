#!/usr/bin/env node
/** The executable `pike-mixer`. */
import { EXIT } from './exit-codes.js';
import { processIo } from './io.js';
import { run } from './main.js';

// Nobody reads notices any more: no reason to leave what is being written undone.
process.stderr.on('error', () => {});

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever reads has seen enough (`pike-mixer … | head`); the exit code is that of the command.
  if (error.code === 'EPIPE') return;
  process.stderr.write(`error: the results cannot be written: ${error.message}\n`);
  process.exitCode ||= EXIT.file;
});

run(process.argv.slice(2), processIo()).then((exitCode) => {
  // Not `exit`: what is on its way to a pipe must arrive.
  process.exitCode ||= exitCode;
});
