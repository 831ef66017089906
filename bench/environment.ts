import { adapterName } from '../src/device/index.ts';
import { capsOf, type TunedNumbers } from '../src/kernel/index.ts';
import type { Ceilings } from './ceilings.ts';

/** What runs here, beside the device: Node says it in place.ts, a page from its navigator. */
export interface Place {
  readonly version: string;
  /** Of the sources, or of what was built from them; with -dirty where they have changes. */
  readonly commit: string;
  readonly os: string;
  readonly cpu: string;
  readonly runtime: string;
}

/** Where numbers come from: the first line of a results file, with `suite: "environment"`. */
export interface Environment extends Place {
  readonly suite: 'environment';
  /** Of the lines of a results file: raised when a field changes its meaning. */
  readonly schema: 3;
  /** ISO 8601, UTC. */
  readonly date: string;
  /** `none` where a suite needs no device, and then without what follows. */
  readonly adapter: string;
  readonly vendor?: string;
  readonly architecture?: string;
  readonly driver?: string;
  /** A CPU that stands in for a GPU: its times say nothing about one. */
  readonly software?: boolean;
  readonly features?: readonly string[];
  /** Numbers of `bench --tune` that choices took. */
  readonly tuned?: TunedNumbers;
  /** Measured in the same run, by the suites that hold results against them. */
  readonly ceilings?: Ceilings;
}

/** Describes a run in a place, on a device where it has one. */
export function environment(place: Place, device: GPUDevice | undefined, ceilings?: Ceilings): Environment {
  const { version, commit, os, cpu, runtime } = place;
  return {
    suite: 'environment',
    schema: 3,
    version,
    commit,
    date: new Date().toISOString(),
    os,
    cpu,
    runtime,
    ...(device ? described(device) : { adapter: 'none' }),
    ...(ceilings && { ceilings }),
  };
}

function described(device: GPUDevice) {
  const { vendor, architecture, description } = device.adapterInfo;
  const { software, tuned } = capsOf(device);
  return {
    adapter: adapterName(device),
    vendor,
    architecture,
    driver: description,
    software,
    features: [...device.features].sort(),
    ...(tuned && { tuned }),
  };
}
