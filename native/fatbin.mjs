/**
 * What nvcc put into a library for GPUs, and how to leave out what nobody reads.
 *
 * With separable compilation a library holds kernels twice: linked (section .nv_fatbin, machine code of every
 * architecture), and, object by object, as they were before linking (__nv_relfatbin, machine code and PTX). The second
 * is there for GPUs that none of the linked code runs on: the driver then compiles the PTX of every object and links the
 * results (nvcc's manual, "JIT Linking"). Machine code of objects is read only where the linked one of the same
 * architecture is missing, which it never is: half the bytes of the whole addon.
 */

const MAGIC = 0xba55ed50;
const PTX = 1;

/** Where each container lies in a section, and its entries: { kind, architecture, offset, size }, in bytes. */
export function readFatbins(section) {
  const containers = [];
  for (let at = 0; at + 16 <= section.length; ) {
    if (section.readUInt32LE(at) !== MAGIC) {
      // Only padding may lie between.
      if (section.readBigUInt64LE(at) !== 0n) throw new Error(`no fat binary at ${at}`);
      at += 8;
      continue;
    }
    const header = section.readUInt16LE(at + 6);
    const end = at + header + Number(section.readBigUInt64LE(at + 8));
    const entries = [];
    for (let offset = at + header; offset < end; ) {
      const size = section.readUInt32LE(offset + 4) + Number(section.readBigUInt64LE(offset + 8));
      const kind = section.readUInt16LE(offset) === PTX ? 'ptx' : 'code';
      entries.push({ kind, architecture: section.readUInt32LE(offset + 28), offset, size });
      offset += size;
      if (size === 0 || offset > end) throw new Error(`a damaged entry in the fat binary at ${at}`);
    }
    if (end > section.length) throw new Error(`the fat binary at ${at} ends outside its section`);
    containers.push({ at, header, end, entries });
    at = end;
  }
  return containers;
}

/**
 * Leaves of every object its PTX, in place: containers keep their addresses and end earlier, and zeros, which compress
 * to nothing, fill what is free.
 *
 * @param linked contents of .nv_fatbin
 * @param objects contents of __nv_relfatbin, changed
 * @returns how many bytes are free now
 * @throws {Error} if an architecture's machine code is not linked, and nothing is changed
 */
export function dropCodeOfObjects(linked, objects) {
  const architectures = new Set(readFatbins(linked).flatMap(codeArchitectures));
  const containers = readFatbins(objects);
  for (const architecture of containers.flatMap(codeArchitectures))
    if (!architectures.has(architecture)) throw new Error(`no linked code for architecture ${architecture}`);
  let free = 0;
  for (const { at, header, end, entries } of containers) {
    let to = at + header;
    for (const { kind, offset, size } of entries) {
      if (kind !== 'ptx') continue;
      objects.copyWithin(to, offset, offset + size);
      to += size;
    }
    objects.fill(0, to, end);
    objects.writeBigUInt64LE(BigInt(to - at - header), at + 8);
    free += end - to;
  }
  return free;
}

function codeArchitectures({ entries }) {
  return entries.filter(({ kind }) => kind === 'code').map(({ architecture }) => architecture);
}
