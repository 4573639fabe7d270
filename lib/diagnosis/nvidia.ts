/** What the system knows of NVIDIA hardware, whatever CUDA says: the files of its driver on Linux. */
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface NvidiaFacts {
  /** GPUs of NVIDIA on the PCI bus. */
  readonly hardware: number;
  /** Version of the driver in the kernel, such as '580.65.06'. */
  readonly kernelDriver: string | null;
  /** The files through which a process reaches the GPUs. */
  readonly deviceFiles: readonly { readonly path: string; readonly allowed: boolean }[];
}

/** @param root where /proc, /sys and /dev are. Never throws. */
export function nvidiaFacts(root = '/'): NvidiaFacts {
  const files = list(join(root, 'dev')).filter((name) => /^nvidia(\d+|ctl|-uvm)$/.test(name));
  return {
    hardware: list(join(root, 'sys/bus/pci/devices')).filter((device) =>
      isGpu(join(root, 'sys/bus/pci/devices', device)),
    ).length,
    kernelDriver:
      /Kernel Module.*?\s(\d+\.\d+(?:\.\d+)?)\s/.exec(read(join(root, 'proc/driver/nvidia/version')))?.[1] ??
      null,
    deviceFiles: files
      .sort()
      .map((name) => ({ path: join(root, 'dev', name), allowed: allowed(join(root, 'dev', name)) })),
  };
}

function isGpu(device: string): boolean {
  // The vendor is NVIDIA, the class a display controller.
  return read(join(device, 'vendor')).trim() === '0x10de' && read(join(device, 'class')).startsWith('0x03');
}

function allowed(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
