/** The kernel on each device that asked for it. */
const kernels = new WeakMap();

/**
 * Compiles the kernel for a device, once; resolves to what sizes, binds and dispatches it.
 * @param code other text than WGSL to compile, such as the file .wgsl beside this one, changed; compiled anew each time.
 */
export async function create(device, { code = WGSL } = {}) {
  if (typeof device?.createComputePipelineAsync !== 'function')
    fail('bad-device', `the device is ${device}`, 'give a GPUDevice');
  if (code !== WGSL) return compile(device, code);
  if (!kernels.has(device)) kernels.set(device, compile(device, code));
  return kernels.get(device);
}

async function compile(device, code) {
  const { features, limits } = device;
  for (const feature of FEATURES)
    if (!features.has(feature))
      fail('missing-feature', `needs the feature ${feature}`, 'request the device with it in requiredFeatures');
  for (const [limit, least] of Object.entries(LIMITS))
    if (limits[limit] < least)
      fail(
        'limit',
        `needs ${limit} ${least}; the device has ${limits[limit]}`,
        'make this file with --caps of the device',
      );
  const entry = (binding, type) => ({ binding, visibility: 4, buffer: { type } }); // 4: GPUShaderStage.COMPUTE
  const layout = device.createBindGroupLayout({
    label: NAME,
    entries: [...BUFFERS.map(({ binding, type }) => entry(binding, type)), entry(DIMS_BINDING, 'uniform')],
  });
  device.pushErrorScope('validation'); // what is wrong is thrown below, and no error of the app's
  const module = device.createShaderModule({ label: NAME, code });
  const made = device.createComputePipelineAsync({
    label: NAME,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: ENTRY },
  });
  device.popErrorScope().catch(() => {});
  const pipeline = await made.catch(async (error) => {
    const { messages } = await module.getCompilationInfo();
    const wrong = messages.filter(({ type }) => type === 'error').map((m) => `line ${m.lineNum}: ${m.message}`);
    return fail('compile', `does not compile: ${wrong.join('; ') || error.message}`, 'correct the WGSL');
  });
  return kernelOf(device, pipeline, layout);
}

function kernelOf(device, pipeline, layout) {
  const uniforms = new Map(); // by content: none is written again, whatever is still to run
  const holes = new Map(); // what stands for buffers of size 0, which WebGPU does not have
  const uniformOf = (words) => {
    const key = words.join();
    let buffer = uniforms.get(key);
    if (!buffer) {
      buffer = device.createBuffer({
        label: `${NAME} dims`,
        size: words.byteLength,
        usage: 64,
        mappedAtCreation: true,
      }); // UNIFORM
      new Uint32Array(buffer.getMappedRange()).set(words);
      buffer.unmap();
      uniforms.set(key, buffer);
      if (uniforms.size > 64) uniforms.delete(uniforms.keys().next().value); // what is bound to it keeps it
    }
    return { buffer };
  };
  const holeOf = (binding) => {
    if (!holes.has(binding)) holes.set(binding, device.createBuffer({ label: NAME, size: 64, usage: 128 })); // STORAGE
    return { buffer: holes.get(binding), offset: 0, size: 64 };
  };

  const bind = (buffers, given) => {
    const dims = dimsOf(given);
    const grid = gridOf(dims, device.limits.maxComputeWorkgroupsPerDimension);
    const needed = bytesOf(dims);
    const all = BUFFERS.map(({ name }) => name);
    if (typeof buffers !== 'object' || buffers === null)
      fail('missing-buffer', `the buffers are ${buffers}`, `give an object of: ${all}`);
    for (const name of Object.keys(buffers))
      if (buffers[name] && !all.includes(name))
        fail('unexpected-buffer', `has no buffer ${name}`, `its buffers are: ${all}`);
    const bound = [];
    for (const buffer of BUFFERS) {
      const { name, binding } = buffer;
      const range = rangeOf(name, buffers[name], needed[name], device.limits);
      for (const other of bound) checkAlias(buffer, range, other);
      bound.push({ buffer, binding, resource: needed[name] === 0 ? holeOf(binding) : range });
    }
    const entries = bound.map(({ binding, resource }) => ({ binding, resource }));
    entries.push({ binding: DIMS_BINDING, resource: uniformOf(wordsOf(dims)) });
    return { grid, bindGroup: device.createBindGroup({ label: NAME, layout, entries }) };
  };
  const encode = (pass, { grid, bindGroup }) => {
    if (grid.includes(0)) return;
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...grid);
  };
  const dispatch = (to, buffers, dims) => {
    const bound = bind(buffers, dims);
    if (!to.beginComputePass) return encode(to, bound);
    const pass = to.beginComputePass({ label: NAME });
    encode(pass, bound);
    pass.end();
  };
  return { pipeline, sizes: (dims) => bytesOf(dimsOf(dims)), bind, encode, dispatch };
}

/** Every dim, those left out as the shader says; refused where the variant does not serve them. */
function dimsOf(given) {
  const names = Object.keys(DIMS).filter((name) => DIMS[name].only === undefined);
  if (typeof given !== 'object' || given === null)
    fail('bad-dims', `the dims are ${given}`, `give an object of: ${names}`);
  for (const name of Object.keys(given))
    if (!Object.hasOwn(DIMS, name)) fail('bad-dims', `has no dim ${name}`, `its dims are: ${names}`);
  const dims = {};
  for (const [name, { type, only, otherwise = only }] of Object.entries(DIMS)) {
    const value = given[name] ?? (typeof otherwise === 'string' ? given[otherwise] : otherwise);
    if (!inRange(value, type)) {
      const what = value === undefined ? `${name} is missing` : `${name} is ${value}`;
      fail('bad-dims', what, `give ${name} a number of ${type}`);
    }
    if (only !== undefined && value !== only)
      fail('bad-dims', `this variant has no ${name}`, `leave ${name} out, or make this file with it`);
    dims[name] = value;
  }
  const wrong = host.check?.(dims, KNOBS);
  if (wrong) fail('bad-dims', wrong.what, `${wrong.fix}, or make this file for these dims`);
  return dims;
}

function inRange(value, type) {
  if (type === 'f32') return typeof value === 'number' && Number.isFinite(Math.fround(value));
  const least = type === 'i32' ? -(2 ** 31) : 0;
  return Number.isInteger(value) && value >= least && value < least + 2 ** 32;
}

/** Bytes that each buffer must have, by name. */
function bytesOf(dims) {
  const counts = host.sizes(dims, KNOBS);
  const whole = ({ name, numbers, bytes }) => Math.ceil((Math.ceil(counts[name] / numbers) * bytes) / 4) * 4;
  return Object.fromEntries(BUFFERS.map((buffer) => [buffer.name, whole(buffer)]));
}

/** The dims as the shader's uniform block has them: words in the order of DIMS, whole rows of 4. */
function wordsOf(dims) {
  const types = Object.entries(DIMS);
  const words = new Uint32Array(4 * Math.ceil(types.length / 4));
  const floats = new Float32Array(words.buffer);
  types.forEach(([name, { type }], at) => void ((type === 'f32' ? floats : words)[at] = dims[name]));
  return words;
}

/** Workgroups along x, y and z; a count past the limit is folded, and the shader leaves those that are too many. */
function gridOf(dims, limit) {
  const asked = host.grid(dims, KNOBS);
  const rows = Math.ceil(asked / limit) || 1;
  const grid = typeof asked === 'number' ? [Math.ceil(asked / rows), rows, 1] : asked;
  for (const count of grid) {
    if (!Number.isInteger(count)) fail('bad-dims', `comes to a grid of ${grid.join(' x ')}`, 'give whole dims');
    if (count > limit)
      fail('limit', `needs a grid of ${grid.join(' x ')}; the device allows ${limit}`, 'split the work');
  }
  return grid;
}

/** The part of a GPUBuffer, or of `{ buffer, offset, size }`, that is bound. */
function rangeOf(name, given, needed, limits) {
  if (!given) fail('missing-buffer', `buffer ${name} is missing`, `give ${name}, ${needed} bytes`);
  const { buffer, offset = 0, size = given.buffer?.size - offset } = given.buffer ? given : { buffer: given };
  const bytes = given.buffer ? size : buffer.size;
  if (typeof buffer.destroy !== 'function')
    fail('bad-buffer', `${name} is no buffer`, 'give a GPUBuffer, or { buffer, offset, size } of one');
  if (!(buffer.usage & 128))
    fail('buffer-usage', `${name} is no storage buffer`, 'create it with GPUBufferUsage.STORAGE');
  if (!(offset >= 0) || offset % limits.minStorageBufferOffsetAlignment !== 0)
    fail(
      'buffer-alignment',
      `${name} starts at byte ${offset}`,
      `start at multiples of ${limits.minStorageBufferOffsetAlignment}`,
    );
  if (!(bytes >= needed) || offset + bytes > buffer.size)
    fail(
      'buffer-too-small',
      `${name} needs ${needed} bytes and has ${bytes} of ${buffer.size}`,
      'give a larger buffer',
    );
  if (needed > limits.maxStorageBufferBindingSize)
    fail(
      'limit',
      `${name} needs ${needed} bytes; a binding holds ${limits.maxStorageBufferBindingSize}`,
      'give smaller dims',
    );
  // Cut to what the dims need, in whole vectors where the range has them.
  return { buffer, offset, size: Math.floor(Math.min(bytes, Math.max(16, Math.ceil(needed / 16) * 16)) / 4) * 4 };
}

/** Nothing that is written may be bound again. */
function checkAlias(one, a, { buffer: other, resource: b }) {
  const written = [one, other].filter(({ type }) => type === 'storage').length;
  if (a.buffer !== b.buffer || written === 0) return;
  if (written === 1 || (a.offset < b.offset + b.size && b.offset < a.offset + a.size))
    fail('buffer-alias', `${one.name} and ${other.name} are in one GPUBuffer, which is written`, 'give each its own');
}

function fail(code, what, fix) {
  throw Object.assign(new Error(`${NAME}: ${what}. Fix: ${fix}`), { name: 'KernelError', code, what, fix });
}
