// The worker of session.test.ts: trains in a page as an app does, and answers with bytes as base64.
import {
  filesDataset,
  loadModel,
  OpfsStore,
  openSession,
  picturesDataset,
  requestDevice,
  shapesDataset,
} from '../../src/run/index.ts';
import { DATA, DRAWN, SMALL } from './session_case.ts';

const base64 = (bytes: Uint8Array) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
const bytesOf = (text: string) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const device = () => requestDevice(navigator.gpu, { limits: 'default' });

const commands = {
  /** Trains a run of the page's files to a step, from its last checkpoint or from one that is given, and draws. */
  async train({ run, steps, checkpoint, resume }: Train) {
    const store = await OpfsStore.open(run);
    const heard: string[] = [];
    const session = await openSession({
      requestDevice: device,
      config: SMALL,
      data: shapesDataset(DATA),
      steps,
      store,
      resume: resume ?? false,
      ...(checkpoint !== undefined && { checkpoint: bytesOf(checkpoint) }),
      submitMs: 100,
      onNote: (text) => void heard.push(text),
    });
    const begun = session.step;
    await session.train();
    const { samples } = await session.sample(DRAWN);
    const model = await loadModel(await session.save());
    const again = await model.sample({ device: session.device, ...DRAWN });
    await model.free();
    await session.close();
    session.device.destroy();
    return {
      begun,
      heard,
      same: samples.every((value, i) => value === again.samples[i]),
      samples: [...samples],
      checkpoint: base64((await store.checkpointBytes(steps)) ?? new Uint8Array()),
      checkpoints: await store.checkpoints(),
      pictures: await store.samples(),
      steps: (await store.metrics()).map(({ step }) => step),
      runs: await OpfsStore.names(),
    };
  },

  /**
   * Trains as `train` does as far as a moment, tells that it is there, and in the middle of a write stays there; after a step it goes on,
   * as far as a later one if it has not heard `goOn` by then.
   */
  async trainUntil({ run, steps, resume, moment }: Train & { readonly moment: Moment }) {
    let there: (where: string) => void = () => {};
    const reached = new Promise<string>((resolve) => {
      there = resolve;
    });
    if ('writing' in moment) haltInWriting(`${moment.writing}.safetensors`, there);
    const session = await openSession({
      requestDevice: device,
      config: SMALL,
      data: shapesDataset(DATA),
      steps,
      store: await OpfsStore.open(run),
      resume: resume ?? false,
      onLost: (loss) => self.postMessage({ lost: loss.message }),
      onStep: async ({ step }) => {
        if (!('after' in moment)) return;
        if (step === moment.after) there(`after step ${step}`);
        if (step === moment.holdAt) await goneOn;
      },
    });
    session.train().then(
      async () => self.postMessage({ ended: base64(await session.checkpoint()) }),
      (error) => self.postMessage({ error: error.stack }),
    );
    return reached;
  },

  /** Names of all files of a run's checkpoints, those that a browser writes into meanwhile with them. */
  async files({ run }: { readonly run: string }) {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('ucgm-runs');
    const names: string[] = [];
    const checkpoints = await (await folder.getDirectoryHandle(run)).getDirectoryHandle('checkpoints');
    for await (const name of checkpoints.keys()) names.push(name);
    return names.sort();
  },

  /** Opens pictures of the page as data. */
  async pictures({ files }: { files: readonly (readonly [path: string, png: string])[] }) {
    const given = files.map(([path, png]) => {
      const file = new File([bytesOf(png)], path.split('/').at(-1) as string);
      Object.defineProperty(file, 'webkitRelativePath', { value: path });
      return file;
    });
    const dataset = await filesDataset(given);
    const canvas = new OffscreenCanvas(4, 4).getContext('2d') as OffscreenCanvasRenderingContext2D;
    canvas.fillStyle = 'rgb(255 0 0)';
    canvas.fillRect(0, 0, 4, 4);
    const red = await picturesDataset([canvas.getImageData(0, 0, 4, 4)], { classNames: ['red'] });
    return [dataset, red].map((each) => {
      const values = new Float32Array(each.channels * each.height * each.width);
      const images = Array.from({ length: each.size }, (_, i) => {
        each.image(i, values, 0);
        return [...values];
      });
      const { name, channels, height, width, classNames, fingerprint, notice } = each;
      return { name, channels, height, width, classNames, fingerprint, notice, labels: [...each.labels], images };
    });
  },
};

let goOn: () => void = () => {};
const goneOn = new Promise<void>((resolve) => {
  goOn = resolve;
});

/** Writes half of the next file of this name, and no more of it. */
function haltInWriting(name: string, halfway: (where: string) => void): void {
  const { createWritable } = FileSystemFileHandle.prototype;
  FileSystemFileHandle.prototype.createWritable = async function (options) {
    const file = await createWritable.call(this, options);
    if (this.name !== name) return file;
    const write = file.write.bind(file);
    file.write = async (chunk) => {
      await write((chunk as Uint8Array<ArrayBuffer>).subarray(0, (chunk as Uint8Array).length / 2));
      halfway(`in the middle of ${name}`);
      await new Promise(() => {});
    };
    return file;
  };
}

/** In the write of a step's checkpoint, or once a step was measured, held once another one was. */
type Moment = { readonly writing: number } | { readonly after: number; readonly holdAt: number };

interface Train {
  readonly run: string;
  readonly steps: number;
  readonly checkpoint?: string;
  readonly resume?: boolean;
}

export type Commands = typeof commands;

self.onmessage = async ({ data: [name, request] }: MessageEvent<['goOn'] | [keyof Commands, never]>) => {
  if (name === 'goOn') return goOn();
  try {
    self.postMessage({ result: await commands[name](request) });
  } catch (error) {
    self.postMessage({ error: (error as Error).stack });
  }
};
