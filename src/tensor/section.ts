import { type Command, sameCommand } from './command.ts';

/** What a recording depends on besides its own calls. */
export interface Situation {
  /** Dispatches that the stream had recorded since the step began. */
  readonly position: number;
  /** Changes when the stream forgets its records, or a buffer that one may name is destroyed. */
  readonly age: number;
}

/**
 * A part of a step whose commands are the same each time. Once two recordings in a row were, the commands are kept, and given again
 * in place of a third recording: nothing is asked of the model, the tape or the arena. `Workspace.repeat` runs it.
 */
export class Section {
  #commands: readonly Command[] | undefined;
  #situation: Situation | undefined;
  #steady = false;

  /** The commands, where they are known to be what a recording in this situation would give. */
  kept(now: Situation): readonly Command[] | undefined {
    return this.#steady && same(this.#situation, now) ? this.#commands : undefined;
  }

  /** Takes a recording, to be compared with the one before. Commands of pipelines that still compile are not kept. */
  recorded(commands: readonly Command[], at: Situation): void {
    const last = same(this.#situation, at) ? this.#commands : undefined;
    this.#steady =
      last?.length === commands.length &&
      commands.every((command, i) => sameCommand(command, last[i] as Command) && isCompiled(command));
    this.#commands = commands;
    this.#situation = at;
  }

  /** Forgets all: the next recording is a first one. */
  forget(): void {
    this.#commands = undefined;
    this.#situation = undefined;
    this.#steady = false;
  }
}

function same(a: Situation | undefined, b: Situation): boolean {
  return a?.position === b.position && a.age === b.age;
}

function isCompiled(command: Command): boolean {
  return command.kind !== 'run' || command.kernel.compiled;
}
