/** A value out of a file for a message, one level deep and cut: it may be of any length and depth. */
export function quote(value: unknown): string {
  if (Array.isArray(value))
    return `[${value.slice(0, 8).map((item) => (Array.isArray(item) ? '[...]' : quote(item)))}${value.length > 8 ? ',...' : ''}]`;
  if (typeof value === 'object' && value !== null) return '{...}';
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value).slice(0, 80);
  return typeof value === 'string' && value.length > 80 ? `${text}...` : text;
}
