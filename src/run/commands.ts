/** One command that trained a run: the first made it, those after it went on with it. */
export interface CommandLine {
  /** When it began, as ISO 8601 in UTC. */
  readonly date: string;
  /** Of this package. */
  readonly version: string;
  /** As it is typed in a shell. */
  readonly command: string;
}

/** A command as a line of a log. */
export function commandText({ date, version, command }: CommandLine): string {
  return `${JSON.stringify({ date, version, command })}\n`;
}

/** The commands of a log, in order; lines that are none are left out: what they tell is of use, and no more. */
export function parseCommands(text: string): CommandLine[] {
  return text.split('\n').flatMap((line) => {
    try {
      const { date, version, command } = JSON.parse(line) as { [key: string]: unknown };
      const all = [date, version, command];
      return all.every((each) => typeof each === 'string') ? [{ date, version, command } as CommandLine] : [];
    } catch {
      return [];
    }
  });
}

/** Words as they are typed in a shell: those with anything but plain letters in quotes. */
export function shellText(words: readonly string[]): string {
  return words.map((word) => (/^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}
