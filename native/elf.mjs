/**
 * Reads what a shared library of Linux asks for and offers: 64-bit ELF, little-endian (x86_64, aarch64). For
 * native/prebuild.mjs and tests, so that neither depends on binutils for it.
 */

const NEEDED = 1n; // DT_NEEDED
const DYNAMIC_END = 0n; // DT_NULL

/** `.` below is a Buffer: sections share the memory of `file`, so what is written to one is written to the file. */
export class Elf {
  #file;
  #sections;

  /** @param file the whole of it. @throws {Error} if it is no such library */
  constructor(file) {
    if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46) throw new Error('not an ELF file');
    if (file[4] !== 2 || file[5] !== 1) throw new Error('not a 64-bit little-endian ELF file');
    this.#file = file;
    this.#sections = this.#readSections();
  }

  #readSections() {
    const at = Number(this.#file.readBigUInt64LE(0x28));
    const size = this.#file.readUInt16LE(0x3a);
    const headers = Array.from({ length: this.#file.readUInt16LE(0x3c) }, (_, i) =>
      this.#file.subarray(at + i * size, at + (i + 1) * size),
    );
    const dataOf = (header) => {
      const offset = Number(header.readBigUInt64LE(0x18));
      const noBits = header.readUInt32LE(4) === 8; // SHT_NOBITS takes no room in the file
      return this.#file.subarray(offset, offset + (noBits ? 0 : Number(header.readBigUInt64LE(0x20))));
    };
    const names = dataOf(headers[this.#file.readUInt16LE(0x3e)]);
    return new Map(headers.map((header) => [text(names, header.readUInt32LE(0)), dataOf(header)]));
  }

  /** The contents of a section, empty if there is none. */
  section(name) {
    return this.#sections.get(name) ?? Buffer.alloc(0);
  }

  get sectionNames() {
    return [...this.#sections.keys()];
  }

  /** The libraries it asks for, such as 'libc.so.6'. */
  get needed() {
    const dynamic = this.section('.dynamic');
    const found = [];
    for (let at = 0; at + 16 <= dynamic.length; at += 16) {
      const tag = dynamic.readBigInt64LE(at);
      if (tag === DYNAMIC_END) break;
      if (tag === NEEDED) found.push(text(this.section('.dynstr'), Number(dynamic.readBigUInt64LE(at + 8))));
    }
    return found;
  }

  /** The versions of symbols that it asks for: of each library the names, such as 'GLIBC_2.17'. */
  get neededVersions() {
    const section = this.section('.gnu.version_r');
    const names = this.section('.dynstr');
    const versions = {};
    for (let at = 0, more = section.length > 0; more; ) {
      const count = section.readUInt16LE(at + 2);
      let entry = at + section.readUInt32LE(at + 8);
      versions[text(names, section.readUInt32LE(at + 4))] = Array.from({ length: count }, () => {
        const name = text(names, section.readUInt32LE(entry + 8));
        entry += section.readUInt32LE(entry + 12);
        return name;
      });
      const step = section.readUInt32LE(at + 12);
      more = step !== 0;
      at += step;
    }
    return versions;
  }

  /** The symbols that it offers to others. */
  get exported() {
    const symbols = this.section('.dynsym');
    const found = [];
    for (let at = 24; at + 24 <= symbols.length; at += 24) {
      const local = symbols[at + 4] >> 4 === 0;
      const defined = symbols.readUInt16LE(at + 6) !== 0;
      if (defined && !local) found.push(text(this.section('.dynstr'), symbols.readUInt32LE(at)));
    }
    return found;
  }
}

function text(names, at) {
  return names.toString('latin1', at, names.indexOf(0, at));
}

/** The newest version of glibc among those names, as [2, 17]; undefined if there is none. */
export function newestGlibc(neededVersions) {
  return Object.values(neededVersions)
    .flat()
    .map((name) => /^GLIBC_(\d+)\.(\d+)/.exec(name))
    .filter(Boolean)
    .map(([, major, minor]) => [Number(major), Number(minor)])
    .sort((a, b) => a[0] - b[0] || a[1] - b[1])
    .at(-1);
}
