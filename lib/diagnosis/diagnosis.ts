/** What a diagnosis says: plain JSON, for people (`pike-mixer doctor`) and for bug reports. */
import type { Libc } from '../backends/addon-file.js';
import type { BackendName } from '../backends/backend.js';
import type { CudaStatus } from '../backends/cuda-status.js';
import type { AddonCandidate } from './addon-trial.js';
import type { InstalledPackage } from './installed-stacks.js';
import type { NvidiaFacts } from './nvidia.js';

export interface Diagnosis {
  /** Of pike-mixer. */
  readonly version: string;
  /** The folder of the package. */
  readonly package: string;
  /** The native backend of the CPU can be had. (That there is no GPU is no failure.) */
  readonly healthy: boolean;
  readonly node: {
    readonly version: string;
    readonly platform: string;
    readonly arch: string;
    readonly libc: Libc;
  };
  readonly processor: {
    readonly model: string;
    /** Processors that this process may use. */
    readonly available: number;
    /** Most threads that a sum is spread over by default. */
    readonly defaultThreads: number;
  };
  readonly addon: {
    /** Where it was loaded from. */
    readonly path: string | null;
    readonly candidates: readonly AddonCandidate[];
    /** null where none could be loaded. */
    readonly build: { readonly compiler: string; readonly nodeApi: number } | null;
    readonly instructionSet: InstructionSetFacts | null;
  };
  readonly cuda: CudaFacts;
  /** What `backend: 'auto'` would use. */
  readonly auto: { readonly host: Chosen; readonly device: Chosen };
  /** Variables that this library or CUDA reads, as far as they are set, and any other that begins with PIKE_MIXER_. */
  readonly environment: Readonly<Record<string, string>>;
  /** Training stacks that a program in the current folder would find. */
  readonly stacks: readonly InstalledPackage[];
  /** What to do, a line per trouble. */
  readonly advice: readonly Advice[];
}

export interface InstructionSetFacts {
  readonly inUse: string;
  /** Those that this processor can use, the best first. */
  readonly usable: readonly string[];
  /** Why it is not the one that PIKE_MIXER_INSTRUCTION_SET names. */
  readonly complaint: string | null;
}

export interface CudaFacts extends CudaStatus {
  /** What the addon was built with, as '13.0'; null without CUDA. */
  readonly runtimeVersion: string | null;
  /** Newest version of CUDA that the driver serves. */
  readonly driverVersion: string | null;
  /** What the kernels were compiled for. */
  readonly architectures: readonly string[];
  readonly system: NvidiaFacts;
}

export interface Chosen {
  /** null: there is none. */
  readonly backend: BackendName | null;
  readonly reason: string;
}

export interface Advice {
  readonly about: 'node' | 'addon' | 'cpu' | 'cuda' | 'environment' | 'stacks';
  /** One line. */
  readonly text: string;
}
