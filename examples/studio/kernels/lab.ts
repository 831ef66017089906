import { doctorCases, examine, type Finding, LIMITS } from '../../../bench/doctor.ts';
import { type Environment, environment, type Place } from '../../../bench/environment.ts';
import { type Measured, type Outcome, outcomes, type Suite } from '../../../bench/suite.ts';
import { SUITES } from '../../../bench/suites.ts';
import { requestDevice } from '../../../src/device/index.ts';
import { capsOf } from '../../../src/kernel/index.ts';

/** Suites that a page can run: all that need no clock of Node's. */
export const PAGE_SUITES = ['smoke', 'kernels', 'ceilings', 'model'] as const;
export type PageSuite = (typeof PAGE_SUITES)[number];

/** The device, as the doctor describes it. */
export interface LabFacts {
  readonly environment: Environment;
  readonly limits: readonly (readonly [name: string, value: number])[];
}

/** A suite that begins: where its numbers come from, and how many cases there are. */
export interface SuiteBegins {
  readonly environment: Environment;
  readonly cases: number;
}

/** What the page asks of the worker in which kernels are examined and timed. */
export class Lab {
  readonly #place: Place;
  #device: GPUDevice | undefined;
  #stopped = false;

  constructor(place: Place) {
    this.#place = place;
  }

  /** Opens the device. @throws DeviceError with what to do. */
  async open(): Promise<LabFacts> {
    const device = await requestDevice(navigator.gpu);
    this.#device = device;
    const limits = LIMITS.map((name) => [name, device.limits[name]] as const);
    return { environment: environment(this.#place, device), limits };
  }

  /** Every kernel in every variant that can be chosen here, against its oracle. @param filter a regular expression on the cases' names. */
  async examine(filter: string, begins: (cases: number) => void, found: (finding: Finding) => void): Promise<void> {
    const device = this.#device as GPUDevice;
    const matches = new RegExp(filter);
    const cases = doctorCases(capsOf(device)).filter((kase) => matches.test(`${kase.kernel} ${kase.name}`));
    begins(cases.length);
    this.#stopped = false;
    for await (const finding of examine(device, cases)) {
      found(finding);
      if (this.#stopped) return;
    }
  }

  /** A suite of the bench. @param filter a regular expression on the cases' names. */
  async measure(
    name: PageSuite,
    filter: string,
    say: (line: string) => void,
    begins: (about: SuiteBegins) => void,
    measured: (outcome: Outcome<Measured>) => void,
  ): Promise<void> {
    const device = this.#device as GPUDevice;
    const open = () => requestDevice(navigator.gpu);
    const suite = (await SUITES[name]({ device, filter: new RegExp(filter), open, say })) as Suite;
    begins({ environment: environment(this.#place, device, suite.ceilings), cases: suite.cases.size });
    this.#stopped = false;
    for await (const outcome of outcomes(suite)) {
      measured(outcome);
      if (this.#stopped) return;
    }
  }

  /** Ends what runs after the case that it is at. */
  stop(): void {
    this.#stopped = true;
  }
}
