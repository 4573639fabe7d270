/**
 * What the header of a shared library of Linux (ELF) says. The loader of the system does not look as closely: what is cut
 * off ends the process with SIGBUS. Sizes are looked at in libraries of 64 bits, little-endian, which nearly all are.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

export interface ElfFacts {
  /** null: this is no ELF library, or its header contradicts itself. */
  readonly machine: string | null;
  /** Size of the file, in bytes. */
  readonly bytes: number;
  /** Bytes that the file must have at least by its own header, as far as that was looked at. */
  readonly bytesNeeded: number;
}

const HEADER_BYTES = 64;
/** Of a segment's entry, in 64 bits. */
const SEGMENT_BYTES = 56;
const MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const BITS_64 = 2; // ELFCLASS64
const BIG_ENDIAN = 2; // ELFDATA2MSB

/** By e_machine. The names are those of `process.arch`. */
const MACHINES: Readonly<Record<number, string>> = {
  3: 'ia32',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
};

/** @throws what the file system throws */
export function readElf(path: string): ElfFacts {
  const file = openSync(path, 'r');
  try {
    const bytes = fstatSync(file).size;
    const header = read(file, 0, HEADER_BYTES);
    if (!header.subarray(0, MAGIC.length).equals(MAGIC)) return { machine: null, bytes, bytesNeeded: 0 };
    if (header.length < HEADER_BYTES) return { machine: null, bytes, bytesNeeded: HEADER_BYTES };
    const bigEndian = header[5] === BIG_ENDIAN;
    const number = bigEndian ? header.readUInt16BE(18) : header.readUInt16LE(18);
    const machine = MACHINES[number] ?? `machine ${number}`;
    if (bigEndian || header[4] !== BITS_64) return { machine, bytes, bytesNeeded: HEADER_BYTES };
    if (header.readUInt16LE(54) !== SEGMENT_BYTES) return { machine: null, bytes, bytesNeeded: HEADER_BYTES };
    return { machine, bytes, bytesNeeded: endOf(file, header, bytes) };
  } finally {
    closeSync(file);
  }
}

/** Whether Node.js on such a processor would find it among those that `readElf` names. */
export function isKnownMachine(arch: string): boolean {
  return Object.values(MACHINES).includes(arch);
}

/** Where the last segment or section header ends. */
function endOf(file: number, header: Buffer, bytes: number): number {
  const segments = { at: offset(header, 32), size: SEGMENT_BYTES, count: header.readUInt16LE(56) };
  const sections = { at: offset(header, 40), size: header.readUInt16LE(58), count: header.readUInt16LE(60) };
  let end = Math.max(HEADER_BYTES, sections.at + sections.size * sections.count);
  end = Math.max(end, segments.at + segments.size * segments.count);
  if (end > bytes) return end;
  const table = read(file, segments.at, segments.size * segments.count);
  for (let i = 0; (i + 1) * segments.size <= table.length; i++) {
    const segment = table.subarray(i * segments.size);
    end = Math.max(end, offset(segment, 8) + offset(segment, 32));
  }
  return end;
}

function read(file: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  const got = Number.isSafeInteger(position) ? readSync(file, buffer, 0, length, position) : 0;
  return buffer.subarray(0, got);
}

function offset(buffer: Buffer, at: number): number {
  return Number(buffer.readBigUInt64LE(at));
}
