import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The card that a process works on, as its operating system knows it. */
export interface Card {
  /** What tells it from every other of the host: a PCI address, or the file of its driver. */
  readonly id: string;
  /** For people: the address, and the UUID of an NVIDIA card. */
  readonly name: string;
}

/** Files of a driver that stand for one card each. */
const CARD_FILE = /^\/dev\/(nvidia\d+|dri\/renderD\d+)$/;

/**
 * The card on which this process has opened its device, found by what it holds open of the cards' files: a driver that lists all cards
 * opens each once, and those that it works on more often. Undefined where the system does not tell.
 */
export function openedCard(): Card | undefined {
  const held = new Map<string, number>();
  for (const target of [...openFiles(), ...mappedFiles()])
    if (CARD_FILE.test(target)) held.set(target, (held.get(target) ?? 0) + 1);
  const most = Math.max(0, ...held.values());
  const [file, ...equal] = [...held].filter(([, count]) => count === most).map(([path]) => path);
  return file === undefined || equal.length > 0 ? undefined : cardOf(file);
}

function openFiles(): string[] {
  try {
    return readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        return []; // closed since it was listed
      }
    });
  } catch {
    return [];
  }
}

function mappedFiles(): string[] {
  return read('/proc/self/maps')
    .split('\n')
    .map((line) => line.slice(line.indexOf('/')).trim());
}

function cardOf(file: string): Card {
  const minor = /nvidia(\d+)$/.exec(file)?.[1];
  if (minor !== undefined) return nvidiaCard(minor) ?? { id: file, name: file };
  const address = link(`/sys/class/drm/${file.slice('/dev/dri/'.length)}/device`)
    ?.split('/')
    .at(-1);
  return address ? { id: address, name: address } : { id: file, name: file };
}

/** What the driver tells of the card whose file has this number. */
function nvidiaCard(minor: string): Card | undefined {
  const folder = '/proc/driver/nvidia/gpus';
  for (const address of list(folder)) {
    const text = read(`${folder}/${address}/information`);
    const field = (name: string) => new RegExp(`^${name}:\\s*(.+)$`, 'm').exec(text)?.[1]?.trim();
    if (field('Device Minor') === minor)
      return { id: address, name: [address, field('GPU UUID')].filter(Boolean).join(' ') };
  }
  return undefined;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
