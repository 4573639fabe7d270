#!/usr/bin/env node
/** The executable `pike-mixer`. */
import { processIo } from './io.js';
import { run } from './main.js';

// Whoever reads has seen enough (`pike-mixer … | head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

run(process.argv.slice(2), processIo()).then((exitCode) => {
  // Not `exit`: what is on its way to a pipe must arrive.
  process.exitCode = exitCode;
});
