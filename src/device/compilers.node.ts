/**
 * More threads to compile on. Dawn gives a device two of them, whatever the processor has, and the 41 pipelines of a first step stand in
 * line: kDefaultTaskHandlingJobCount in https://dawn.googlesource.com/dawn/+/main/src/dawn/platform/WorkerThread.h. Another device has
 * two of its own, and what a driver compiled for one it has at hand for all. So others compile first, and the device finds it known.
 * Delete this file when Dawn's threads follow the processor's.
 */

/** Milliseconds without work after which the helpers go. A training may read its data, or make its model, before its first step. */
const IDLE = 20_000;
/** A driver shares what it compiled where asking again takes less than this part of the first time. */
const SHARED = 0.5;
/** Texts tried: what is not shared is never quick, and what is may be held up once. */
const TRIES = 3;
/** GPUShaderStage.COMPUTE; the global is absent in Node. */
const COMPUTE = 4;

/** A pipeline in words that another device understands. */
interface Told {
  readonly code: string;
  readonly entries: GPUBindGroupLayoutEntry[];
  readonly entryPoint: string | undefined;
  readonly constants: Record<string, number> | undefined;
}

/** What compiles: the device itself, or one that helps; and how much text it has in hand. */
interface Lane {
  readonly helper?: GPUDevice;
  characters: number;
}

/**
 * Opens two devices that from here on help another to compile; where one cannot be opened, or their driver does not share what it compiled,
 * nothing is changed.
 * @param open opens a device of the same adapter and features.
 */
export async function compileWithHelp(device: GPUDevice, open: () => Promise<GPUDevice>): Promise<void> {
  const opened = await Promise.allSettled([open(), open()]);
  const helpers = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const [first, second] = helpers;
  const shares = first && second && (await driverShares(first, second).catch(() => false));
  if (shares) shareCompiling(device, helpers);
  else for (const helper of helpers) helper.destroy();
}

/**
 * From here on, helpers compile what this device is asked for before it does, each about as much text as the device alone. They are
 * destroyed when the device is lost, and when nothing has come for a while: then all is as it was.
 * @param helpers devices of the same adapter and features, whose driver shares what it compiled (`driverShares`). From here on owned.
 */
export function shareCompiling(device: GPUDevice, helpers: readonly GPUDevice[]): void {
  const { tell, forget } = remember(device);
  const alone = device.createComputePipelineAsync.bind(device);
  const own: Lane = { characters: 0 };
  const lanes: readonly Lane[] = [own, ...helpers.map((helper) => ({ helper, characters: 0 }))];
  let working = 0;
  const end = () => {
    clearTimeout(timer);
    forget();
    Reflect.deleteProperty(device, 'createComputePipelineAsync');
    for (const helper of helpers) helper.destroy();
  };
  let timer = setTimeout(end, IDLE).unref();
  void device.lost.then(end);

  const compile = async (descriptor: GPUComputePipelineDescriptor) => {
    const told = tell(descriptor);
    if (!told) return alone(descriptor);
    const lane = lanes.reduce((least, other) => (other.characters < least.characters ? other : least));
    const { length } = told.code;
    lane.characters += length;
    try {
      if (!lane.helper) return await alone(descriptor);
      await compileOn(lane.helper, told).catch(() => {});
    } finally {
      lane.characters -= length;
    }
    return alone(descriptor);
  };
  device.createComputePipelineAsync = async (descriptor) => {
    clearTimeout(timer);
    working++;
    try {
      return await compile(descriptor);
    } finally {
      if (--working === 0) timer = setTimeout(end, IDLE).unref();
    }
  };
}

/** Keeps what modules and layouts of a device are made of, until it is to forget: WebGPU does not say. */
function remember(device: GPUDevice) {
  const codes = new WeakMap<object, string>();
  const layouts = new WeakMap<object, GPUBindGroupLayoutEntry[]>();
  const { createShaderModule, createBindGroupLayout, createPipelineLayout } = device;
  const watched: Pick<GPUDevice, 'createShaderModule' | 'createBindGroupLayout' | 'createPipelineLayout'> = {
    createShaderModule(descriptor) {
      const made = createShaderModule.call(device, descriptor);
      codes.set(made, descriptor.code);
      return made;
    },
    createBindGroupLayout(descriptor) {
      const made = createBindGroupLayout.call(device, descriptor);
      layouts.set(made, [...descriptor.entries]);
      return made;
    },
    createPipelineLayout(descriptor) {
      const made = createPipelineLayout.call(device, descriptor);
      const [group, ...others] = [...descriptor.bindGroupLayouts];
      const entries = group && others.length === 0 ? layouts.get(group) : undefined;
      if (entries) layouts.set(made, entries);
      return made;
    },
  };
  Object.assign(device, watched);
  return {
    /** Undefined for what was made before, or of several groups. */
    tell({ layout, compute: { module, entryPoint, constants } }: GPUComputePipelineDescriptor): Told | undefined {
      const code = codes.get(module);
      const entries = typeof layout === 'object' ? layouts.get(layout) : undefined;
      return code !== undefined && entries ? { code, entries, entryPoint, constants } : undefined;
    },
    forget() {
      for (const name of Object.keys(watched)) Reflect.deleteProperty(device, name);
    },
  };
}

/** Without a word of what is wrong with it: the device that it is for says that. */
async function compileOn(device: GPUDevice, { code, entries, entryPoint, constants }: Told): Promise<void> {
  device.pushErrorScope('validation');
  const pipeline = device.createComputePipelineAsync({
    layout: device.createPipelineLayout({ bindGroupLayouts: [device.createBindGroupLayout({ entries })] }),
    compute: { module: device.createShaderModule({ code }), entryPoint, constants },
  });
  await Promise.all([pipeline, device.popErrorScope()]);
}

/**
 * Whether a driver has at hand for one device what it compiled for another: found with texts that nobody compiled before, the first of
 * them only to start the compiler. NVIDIA's has (6 ms for 55 on an H100), unless its cache is off (`__GL_SHADER_DISK_CACHE=0`).
 */
export async function driverShares(first: GPUDevice, second: GPUDevice): Promise<boolean> {
  const starter = newText();
  await Promise.all([compileOn(first, starter), compileOn(second, starter)]);
  for (let i = 0; i < TRIES; i++) {
    const told = newText();
    const began = performance.now();
    await compileOn(first, told);
    const again = performance.now();
    await compileOn(second, told);
    if (performance.now() - again < SHARED * (again - began)) return true;
  }
  return false;
}

function newText(): Told {
  const factor = 1 + Math.random();
  const lines = Array.from({ length: 32 }, (_, i) => `x = fma(x, data[u32(x) + ${i}u], ${factor}f);`);
  const code = `
    @group(0) @binding(0) var<storage, read_write> data: array<f32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      var x = data[id.x];
      ${lines.join('\n')}
      data[id.x] = x;
    }`;
  const entries: GPUBindGroupLayoutEntry[] = [{ binding: 0, visibility: COMPUTE, buffer: { type: 'storage' } }];
  return { code, entries, entryPoint: 'main', constants: undefined };
}
