/** What is being measured on. */
import { cudaStatus } from '../../dist/backends/cuda-status.js';
import { loadAddon } from '../../dist/backends/load-addon.js';
import { isStatus } from '../../dist/backends/native-call.js';
import { type PartReport, partReport } from '../report.js';
import { NoGpuError } from './device.js';

export interface Environment {
  readonly device: string;
  readonly computeCapability: string;
  /** All GPUs found; the first is measured. */
  readonly devices: readonly string[];
  readonly driver: string;
  readonly runtime: string;
  readonly architectures: readonly string[];
  readonly addon: string;
  readonly compiler: string;
  readonly node: string;
}

/** @throws NoGpuError with the true reason */
export async function environment(): Promise<PartReport> {
  const status = cudaStatus();
  const { addon, path } = loadAddon();
  if (!status.usable || !addon) throw new NoGpuError(status.reason);
  const probe = addon.cudaProbe();
  if (isStatus(probe)) throw new NoGpuError(probe.message);
  const { compiler, cuda } = addon.buildInfo;
  const data: Environment = {
    device: probe.devices[0].name,
    computeCapability: probe.devices[0].computeCapability,
    devices: probe.devices.map(({ name }) => name),
    driver: showVersion(probe.driverVersion),
    runtime: showVersion(cuda.runtimeVersion),
    architectures: cuda.architectures,
    addon: path,
    compiler,
    node: process.version,
  };
  const lines = Object.entries(data).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(', ') : value,
  ]);
  return partReport({ tables: [{ title: '', head: ['', ''], rows: lines }], data });
}

/** CUDA writes 13.2 as 13020. */
export function showVersion(version: number): string {
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
}
