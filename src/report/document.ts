import { escapeHtml } from './html.ts';
import { STYLE } from './style.ts';

/** Nothing may be fetched or run, whatever a file of a run folder holds. */
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/** A page that needs no other file and no network. `facts` and `main` are HTML already. */
export function documentHtml(title: string, facts: string, main: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>
${STYLE}
</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}</h1>
${facts}
</header>
<main>
${main}
</main>
</body>
</html>
`;
}
