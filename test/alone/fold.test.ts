import { describe, expect, it } from 'vitest';
import { trimmed } from '../../src/reflect/compact.ts';
import { folded } from '../../src/reflect/fold.ts';

const HEAD = 'const A: bool = true;\nconst N: u32 = 3u;\nconst M: u32 = max(N / 2u, 1u);\nconst B = N > 4u || !A;\n';
const fold = (body: string) => folded(`${HEAD}fn main() {\n${body}\n}\n`).replace(/^[\s\S]*?(?=fn main)/, '');
const main = (body: string) => `fn main() {\n${body}\n}\n`;

describe('branches that constants decide', () => {
  it.each([
    ['never taken', '  a();\n  if (B) {\n    b();\n  }\n  c();', '  a();\n  c();'],
    ['never taken, with an else', '  if (B) {\n    b();\n  } else {\n    c();\n  }', '  {\n    c();\n  }'],
    [
      'always taken',
      '  if (A && M == 1u) {\n    b(); // why\n  } else if (x) {\n    c();\n  } else {\n  }',
      '  b(); // why',
    ],
    ['always taken, with names of its own', '  if (A) {\n    let b = 1;\n  }', '  {\n    let b = 1;\n  }'],
    ['always taken, and it returns', '  if (A) {\n    return;\n  }\n  c();\n  d();', '  return;'],
    ['at the end of a chain', '  if (x) {\n    a();\n  } else if (B) {\n    b();\n  }', '  if (x) {\n    a();\n  }'],
    ['false whatever the rest is', '  if (B && f(x[2], y)) { b(); }', ''],
    ['of a select', '  x = select(1u, 4u, A) / select(f(a, b), c + d, !A);', '  x = 4u / f(a, b);'],
  ])('%s', (_, body, left) => {
    expect(fold(body).replace(/\n+/g, '\n')).toBe(main(left).replace(/\n+/g, '\n'));
  });

  it.each([
    ['what runs decides', '  if (A && x) {\n    b();\n  }'],
    ['a name that a function has too', '  let N = 5u;\n  if (N == 3u) {\n    b();\n  }'],
    ['numbers past whole ones', '  if (N - 4u > 0u) {\n    b();\n  }'],
    ['a comment', '  // if (A) { b(); }\n  c();'],
  ])('leaves %s', (_, body) => expect(fold(body)).toBe(main(body)));

  it('gives constants their values, so that nothing reaches what they are made of', () => {
    const code = `${HEAD}fn main() { a(M); }`;
    expect(folded(code)).toContain('const M: u32 = 1u;');
    expect(trimmed({ code: folded(code), entryPoint: 'main', knobs: {} })).toBe(
      'const M: u32 = 1u;\nfn main() { a(M); }',
    );
  });

  it('and what nothing reaches afterwards', () => {
    const code = `${HEAD}// of b\nfn b() {}\n\n// of c\nfn c() {}\nfn main() {\n  if (B) { b(); }\n  c(); // runs\n}\n`;
    const left = trimmed({ code: folded(code), entryPoint: 'main', knobs: {} });
    expect(left.trim()).toBe('// of c\nfn c() {}\nfn main() {\n  c(); // runs\n}');
  });
});
