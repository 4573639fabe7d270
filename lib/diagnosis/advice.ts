/** What to do about what is wrong, from what a diagnosis has found. */
import type { AddonTrouble } from '../backends/addon-file.js';
import { MANIFEST } from '../version.js';
import type { Advice, Diagnosis } from './diagnosis.js';
import { within } from './installed-stacks.js';

type Found = Omit<Diagnosis, 'advice'>;

/** Variables that the library reads. */
const VARIABLES = ['PIKE_MIXER_ADDON', 'PIKE_MIXER_INSTRUCTION_SET'];

export function adviseOn(found: Found): Advice[] {
  return [
    ...onNode(found),
    ...onAddon(found),
    ...onInstructionSet(found),
    ...onCuda(found),
    ...onEnvironment(found),
    ...onStacks(found),
  ];
}

function onNode({ node }: Found): Advice[] {
  const { node: needed } = MANIFEST.engines;
  if (within(node.version.slice(1), needed)) return [];
  return [{ about: 'node', text: `Use Node.js ${needed}: this is ${node.version.slice(1)}.` }];
}

function onAddon({ addon, environment, package: folder, node }: Found): Advice[] {
  const build = `build it with \`npm run build:native\` in ${folder} (docs/install.md says what that needs)`;
  const named = environment.PIKE_MIXER_ADDON;
  const advice: Advice[] = [];
  for (const { path, failure } of addon.candidates) {
    if (failure === null || failure.trouble === 'missing') continue;
    advice.push({ about: 'addon', text: `${WHAT_TO_DO[failure.trouble](path, build, node.arch)}` });
  }
  if (addon.path === null && named)
    advice.push({
      about: 'addon',
      text: `PIKE_MIXER_ADDON names ${named}, so no other addon is tried: let it name one that can be loaded, or unset it.`,
    });
  else if (addon.path === null && advice.length === 0)
    advice.push({
      about: 'addon',
      text: `There is no addon: install pike-mixer again, or ${build}.`,
    });
  return advice;
}

const WHAT_TO_DO: Readonly<
  Record<Exclude<AddonTrouble, 'missing'>, (path: string, build: string, arch: string) => string>
> = {
  unreadable: (path) => `Make ${path} a file that this user may read, or remove it.`,
  damaged: (path, build) => `Remove ${path}, which is damaged; then install pike-mixer again, or ${build}.`,
  crash: (path, build) => `Remove ${path}, which is damaged; then install pike-mixer again, or ${build}.`,
  architecture: (path, build, arch) =>
    `Install pike-mixer with the Node.js that runs it: ${path} is not for ${arch}. Or ${build}.`,
  system: (path, build) => `${path} was built on a newer or another system: ${build}.`,
  interface: (path, build) => `${path} belongs to another version of pike-mixer: ${build}.`,
  forbidden: () =>
    'Let Node.js load addons: it was started with --no-addons, or with --permission and without --allow-addons.',
  refused: (path, build) => `Install what ${path} needs, as the cause says, or ${build}.`,
};

function onInstructionSet({ addon }: Found): Advice[] {
  const set = addon.instructionSet;
  if (!set?.complaint) return [];
  return [
    {
      about: 'cpu',
      text: `Unset PIKE_MIXER_INSTRUCTION_SET, or set it to one of ${set.usable.join(', ')}.`,
    },
  ];
}

function onCuda({ cuda, addon, environment, package: folder }: Found): Advice[] {
  const { system } = cuda;
  const present = system.hardware > 0 || system.kernelDriver !== null || system.deviceFiles.length > 0;
  // Of the missing addon enough has been said; and who has no GPU needs no advice about one.
  if (cuda.usable || addon.path === null) return [];
  const say = (text: string): Advice[] => [{ about: 'cuda', text }];
  if (!cuda.compiled)
    return present
      ? say(
          `To use the GPU, install the CUDA toolkit, so that nvcc is on the PATH, and run \`npm run build:native\` in ${folder}.`,
        )
      : [];
  if (!cuda.driver) return present ? say(withoutLibrary(system.kernelDriver)) : [];
  if (cuda.devices.length > 0)
    return say(
      'The GPU is older than all that the kernels were compiled for: use another, or `backend: "cpu"`.',
    );
  if (/too old/.test(cuda.reason))
    return say(
      `Update the NVIDIA driver to one that serves CUDA ${cuda.runtimeVersion!.split('.')[0]}` +
        `${cuda.runtimeVersion!.startsWith('13.') ? ' (580 or later)' : ''}.`,
    );
  const forbidden = system.deviceFiles.filter(({ allowed }) => !allowed).map(({ path }) => path);
  if (forbidden.length > 0)
    return say(`Let this user read and write ${forbidden.join(', ')}: without that the driver finds no GPU.`);
  const hidden = environment.CUDA_VISIBLE_DEVICES;
  if (/finds no GPU/.test(cuda.reason)) {
    if (hidden !== undefined)
      return say(`CUDA_VISIBLE_DEVICES is '${hidden}': unset it, or let it name a GPU that there is.`);
    return say('See whether `nvidia-smi` lists a GPU; a container needs `--gpus all` to be given one.');
  }
  if (/\(803\)/.test(cuda.reason))
    return say(
      "The driver's library and its kernel module are of different versions: restart the machine or the container.",
    );
  return say(
    'See what `nvidia-smi` says; a restart of the machine or a new installation of the NVIDIA driver may help.',
  );
}

function withoutLibrary(kernelDriver: string | null): string {
  if (kernelDriver === null)
    return 'There is an NVIDIA GPU, but no driver: install the NVIDIA driver to use it.';
  return (
    `The kernel has the NVIDIA driver ${kernelDriver}, but its library libcuda.so.1 is not found: a container needs ` +
    '`--gpus all`, elsewhere LD_LIBRARY_PATH must lead to it.'
  );
}

function onEnvironment({ environment }: Found): Advice[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith('PIKE_MIXER_') && !VARIABLES.includes(name))
    .map((name) => ({
      about: 'environment',
      text: `Nobody reads ${name}: the variables of pike-mixer are ${VARIABLES.join(' and ')}.`,
    }));
}

function onStacks({ stacks }: Found): Advice[] {
  return stacks
    .filter(({ fits }) => !fits)
    .map(({ name, version, supported }) => ({
      about: 'stacks',
      text: `Install ${name} ${supported}: the adapter is not made for ${version}.`,
    }));
}
