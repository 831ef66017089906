/** The name that a misspelt one means, if any is near: a third of its letters may differ, case and punctuation count for nothing. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const flat = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const ranked = names.map((known) => ({ known, distance: edits(flat(name), flat(known)) }));
  ranked.sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= best.known.length / 3 ? best.known : undefined;
}

/** Levenshtein's distance: inserted, deleted and replaced letters. */
export function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swapped = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swapped, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
