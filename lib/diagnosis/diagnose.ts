/** Finds out what works on this machine and what does not, and why. */
import { availableParallelism, cpus } from 'node:os';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { libc } from '../backends/addon-file.js';
import { defaultThreads } from '../backends/cpu.js';
import { cudaVersion, explainCuda } from '../backends/cuda-status.js';
import {
  type LoadedAddon,
  loadAddon,
  type NativeCudaProbe,
  type NativeStatus,
} from '../backends/load-addon.js';
import { isStatus } from '../backends/native-call.js';
import { selectBackend } from '../backends/select.js';
import { VERSION } from '../version.js';
import { tryAddons } from './addon-trial.js';
import { adviseOn } from './advice.js';
import type { CudaFacts, Diagnosis } from './diagnosis.js';
import { installedStacks } from './installed-stacks.js';
import { nvidiaFacts } from './nvidia.js';

const RELATED_VARIABLES = [
  'CUDA_VISIBLE_DEVICES',
  'NVIDIA_VISIBLE_DEVICES',
  'LD_LIBRARY_PATH',
  'NODE_OPTIONS',
];

/**
 * Gathers it. Asks the CUDA driver, and tries addons in processes of their own, so it takes up to a few seconds.
 *
 * @param folder where to look for training stacks (default: the current one)
 */
export async function diagnose(folder: string = process.cwd()): Promise<Diagnosis> {
  const candidates = tryAddons();
  const crash = candidates.find(({ failure }) => failure?.trouble === 'crash');
  // Whoever loads the addon tries the same files in the same order, and one that crashes ends it.
  const loaded: LoadedAddon = crash
    ? { addon: null, path: null, reasons: [`${crash.path}: ${crash.failure!.cause}`] }
    : loadAddon();
  const info = loaded.addon?.buildInfo;
  const cuda = await cudaFacts(loaded);
  const auto = crash ? withCrash(loaded.reasons[0]) : await chosenByAuto();
  const known: Omit<Diagnosis, 'advice'> = {
    version: VERSION,
    package: resolve(dirname(fileURLToPath(import.meta.url)), '../..'),
    healthy: auto.host.backend === 'cpu',
    node: { version: process.version, platform: process.platform, arch: process.arch, libc: libc() },
    processor: {
      model: cpus()[0]?.model.trim() ?? 'unknown',
      available: availableParallelism(),
      defaultThreads: defaultThreads(),
    },
    addon: {
      path: loaded.path,
      candidates,
      build: info ? { compiler: info.compiler, nodeApi: info.napiVersion } : null,
      instructionSet: info
        ? { inUse: info.instructionSet, usable: info.instructionSets, complaint: info.complaint }
        : null,
    },
    cuda,
    auto,
    environment: variables(process.env),
    stacks: installedStacks(folder),
  };
  return { ...known, advice: adviseOn(known) };
}

async function cudaFacts(loaded: LoadedAddon): Promise<CudaFacts> {
  const built = loaded.addon?.buildInfo.cuda;
  let probe: NativeCudaProbe | NativeStatus | null = null;
  if (loaded.addon && built?.compiled) probe = await loaded.addon.cudaProbeAsync();
  const driver = probe === null || isStatus(probe) ? 0 : probe.driverVersion;
  return {
    ...explainCuda(loaded, () => probe!),
    runtimeVersion: built?.compiled ? cudaVersion(built.runtimeVersion) : null,
    driverVersion: driver > 0 ? cudaVersion(driver) : null,
    architectures: built?.architectures ?? [],
    system: nvidiaFacts(),
  };
}

async function chosenByAuto(): Promise<Diagnosis['auto']> {
  const { source } = selectBackend('auto');
  const { name, reason } = await source.open({ memory: 'host' });
  const host = { backend: name, reason };
  try {
    const gpu = await source.open({ memory: 'device', device: 0 });
    return { host, device: { backend: gpu.name, reason: gpu.reason } };
  } catch (error) {
    return { host, device: { backend: null, reason: (error as Error).message } };
  }
}

function withCrash(reason: string): Diagnosis['auto'] {
  const none = { backend: null, reason: `the process ends as soon as the addon is loaded: ${reason}` };
  return { host: none, device: none };
}

function variables(env: NodeJS.ProcessEnv): Record<string, string> {
  const names = Object.keys(env).filter((name) => name.startsWith('PIKE_MIXER_'));
  return Object.fromEntries(
    [...names.sort(), ...RELATED_VARIABLES].flatMap((name) =>
      env[name] === undefined ? [] : [[name, env[name]!]],
    ),
  );
}
