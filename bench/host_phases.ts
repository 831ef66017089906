/** Milliseconds of the host in calls of the device, within some work. */
export interface HostPhases {
  /** Copying data to buffers. */
  readonly copying: number;
  /** Closing encoders: what the passes hold is checked and kept. */
  readonly finishing: number;
  readonly submitting: number;
}

/** Measures what the host spends in a device's calls while some work runs. */
export async function hostPhases(device: GPUDevice, work: () => Promise<void>): Promise<HostPhases> {
  const spent = { copying: 0, finishing: 0, submitting: 0 };
  const timed =
    <A extends unknown[], R>(phase: keyof HostPhases, call: (...args: A) => R) =>
    (...args: A): R => {
      const start = performance.now();
      try {
        return call(...args);
      } finally {
        spent[phase] += performance.now() - start;
      }
    };
  const { queue } = device;
  const create = device.createCommandEncoder.bind(device);
  const put = (on: object, name: string, value: unknown) =>
    Object.defineProperty(on, name, { configurable: true, value });
  put(queue, 'writeBuffer', timed('copying', queue.writeBuffer.bind(queue)));
  put(queue, 'submit', timed('submitting', queue.submit.bind(queue)));
  put(device, 'createCommandEncoder', (descriptor?: GPUCommandEncoderDescriptor) => {
    const encoder = create(descriptor);
    put(encoder, 'finish', timed('finishing', encoder.finish.bind(encoder)));
    return encoder;
  });
  try {
    await work();
  } finally {
    for (const name of ['writeBuffer', 'submit']) Reflect.deleteProperty(queue, name);
    Reflect.deleteProperty(device, 'createCommandEncoder');
  }
  return spent;
}
