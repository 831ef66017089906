/** Knobs of a sketch of a product on subgroup matrices, and its WGSL: nt, f16 or f32 in storage, f32 sums, whole tiles only. */
export interface MatrixSketch {
  readonly name: string;
  /** Outputs and k of a workgroup's tile. */
  readonly bm: number;
  readonly bn: number;
  readonly bk: number;
  /** Subgroups along m and n. */
  readonly wm: number;
  readonly wn: number;
  /**
   * How workgroup memory is declared and written: scalars, a buffer seen as vec4u and as f16, vec4u, or vec4u in an array for each
   * subgroup's rows, so that where a matrix begins is a constant.
   */
  readonly mem: 'none' | 'f16' | 'view' | 'vec4u' | 'parts';
  /** Vec4u after each row. */
  readonly pad: number;
  /** Steps before its own that a tile is fetched into registers: 0, 1 or 2. */
  readonly ahead: 0 | 1 | 2;
  /** The fetch stands before the barrier that this tile waits at, not after it. */
  readonly early?: boolean;
  /** Eight neighbours stage rows 4 apart, whose padded places meet no bank twice (bk 32). */
  readonly apart?: boolean;
  /** Two tiles in workgroup memory, one barrier a step. */
  readonly double?: boolean;
  /** Sums in an array that loops index, instead of names. */
  readonly array?: boolean;
  /** Rows of tiles that follow one another before the next column. */
  readonly group?: number;
  /** Operands are f32 in storage. */
  readonly f32?: boolean;
  /** Matrices of B are loaded one by one, each just before its products. */
  readonly late?: boolean;
  /** So many steps of 16 k at a time, in a loop that stays one. */
  readonly rolled?: number;
  /** The type of an element of workgroup memory, with `parts`. */
  readonly word?: 'vec4u' | 'vec2u' | 'u32' | 'vec4h';
  /** What is left out, to see what the rest takes: such a version is timed and not checked. */
  readonly without?: readonly ('global' | 'stage' | 'barrier' | 'load' | 'multiply')[];
}

const LEFT = 'subgroup_matrix_left<f16, 16, 16>';
const RIGHT = 'subgroup_matrix_right<f16, 16, 16>';
const RESULT = 'subgroup_matrix_result<f32, 16, 16>';
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

/** Numbers an operand's tile takes in memory, and how a vec4u is put into it and a matrix taken out. */
function memory(s: MatrixSketch, operand: 'a' | 'b') {
  const [rows, warps] = operand === 'a' ? [s.bm, s.wm] : [s.bn, s.wn];
  const line = s.bk / 8 + s.pad;
  const copies = s.double ? 2 : 1;
  const size = rows * line;
  const own = (rows / warps) * line;
  const [type, order, warp] = operand === 'a' ? [LEFT, 'row_major', 'warp_m'] : [RIGHT, 'col_major', 'warp_n'];
  const load = (from: string, unit: number, at: string) =>
    `subgroupMatrixLoad<${type}, ${order}>(${from}, ${at}, ${line * unit}u)`;
  const inside = (i: number, kk: number | string) => i * 16 * line + Number(kk) * 2;
  if (s.mem === 'parts') {
    const word = s.word ?? 'vec4u';
    const each = { vec4u: 1, vec2u: 2, vec4h: 2, u32: 4 }[word];
    const piece = (value: string, x: number) =>
      ({
        vec4u: value,
        vec2u: `(${value}).${['xy', 'zw'][x]}`,
        vec4h: `bitcast<vec4h>((${value}).${['xy', 'zw'][x]})`,
        u32: `(${value}).${'xyzw'[x]}`,
      })[word];
    return {
      declare: `var<workgroup> sm_${operand}: array<array<array<${word}, ${each * own}>, ${warps}>, ${copies}>;`,
      put: (copy: number, row: string, c: string, value: string) =>
        upTo(each)
          .map(
            (x) =>
              `sm_${operand}[${copy}][${row} / ${rows / warps}u][(${row} % ${rows / warps}u * ${line}u + ${c}) * ${each}u + ${x}u] = ${piece(value, x)};`,
          )
          .join(' '),
      take: (copy: number, i: number, kk: number | string) =>
        load(
          `&sm_${operand}[${copy}][${warp}]`,
          each,
          typeof kk === 'string' ? `${each * i * 16 * line}u + ${kk} * ${2 * each}u` : `${each * inside(i, kk)}u`,
        ),
    };
  }
  const start = (copy: number) => `${copy * size}u + ${warp} * ${own}u`;
  const put = (copy: number, row: string, c: string) => `${copy * size}u + ${row} * ${line}u + ${c}`;
  if (s.mem === 'vec4u')
    return {
      declare: `var<workgroup> sm_${operand}: array<vec4u, ${copies * size}>;`,
      put: (copy: number, row: string, c: string, value: string) => `sm_${operand}[${put(copy, row, c)}] = ${value};`,
      take: (copy: number, i: number, kk: number | string) =>
        load(`&sm_${operand}`, 1, `${start(copy)} + ${inside(i, kk)}u`),
    };
  if (s.mem === 'view')
    return {
      declare: `var<workgroup> sm_${operand}: buffer<${16 * copies * size}>;`,
      put: (copy: number, row: string, c: string, value: string) =>
        `bufferView<array<vec4u, ${copies * size}>>(&sm_${operand}, 0)[${put(copy, row, c)}] = ${value};`,
      take: (copy: number, i: number, kk: number | string) =>
        load(
          `bufferView<array<f16, ${8 * copies * size}>>(&sm_${operand}, 0)`,
          8,
          `(${start(copy)} + ${inside(i, kk)}u) * 8u`,
        ),
    };
  return {
    declare: `var<workgroup> sm_${operand}: array<f16, ${8 * copies * size}>;`,
    put: (copy: number, row: string, c: string, value: string) =>
      upTo(8)
        .map((x) => {
          const half = `bitcast<vec2h>((${value})[${x >> 1}])[${x % 2}]`;
          return `sm_${operand}[(${put(copy, row, c)}) * 8u + ${x}u] = ${half};`;
        })
        .join(' '),
    take: (copy: number, i: number, kk: number | string) =>
      load(`&sm_${operand}`, 8, `(${start(copy)} + ${inside(i, kk)}u) * 8u`),
  };
}

/** Matrices straight from storage, nothing staged. */
function direct(s: MatrixSketch): string {
  const [tm, tn] = [s.bm / s.wm / 16, s.bn / s.wn / 16];
  const start = (base: string, warp: string, own: number, i: number) =>
    `((${base} + ${warp} * ${own}u + ${16 * i}u) * dims.k + k0) / 8u`;
  return [
    head(s, []),
    ...upTo(tm).flatMap((i) => upTo(tn).map((j) => `var s${i}_${j} = ${RESULT}();`)),
    'for (var k0 = 0u; k0 < dims.k; k0 += 16u) {',
    ...upTo(tm).map(
      (i) =>
        `let x${i} = subgroupMatrixLoad<${LEFT}, row_major>(&a, ${start('row_base', 'warp_m', 16 * tm, i)}, dims.k / 8u);`,
    ),
    ...upTo(tn).map(
      (j) =>
        `let y${j} = subgroupMatrixLoad<${RIGHT}, col_major>(&b, ${start('col_base', 'warp_n', 16 * tn, j)}, dims.k / 8u);`,
    ),
    ...upTo(tm).flatMap((i) =>
      upTo(tn).map((j) => `s${i}_${j} = subgroupMatrixMultiplyAccumulate(x${i}, y${j}, s${i}_${j});`),
    ),
    '}',
    ...stores(tm, tn, (i, j) => `s${i}_${j}`),
    '}',
  ].join('\n');
}

function stores(tm: number, tn: number, sum: (i: number, j: number) => string): string[] {
  return upTo(tm).flatMap((i) =>
    upTo(tn).map((j) => {
      const place = `(row_base + warp_m * ${16 * tm}u + ${16 * i}u) * dims.n + col_base + warp_n * ${16 * tn}u + ${16 * j}u`;
      return `subgroupMatrixStore<row_major>(&out, ${place}, ${sum(i, j)}, dims.n);`;
    }),
  );
}

function head(s: MatrixSketch, declarations: string[]): string {
  const element = s.f32 ? 'vec4f' : 'vec4u';
  const group = s.group ?? 1;
  return [
    '// A sketch of the lab.',
    'enable f16;\nenable subgroups;\nenable chromium_experimental_subgroup_matrix;',
    s.mem === 'view' ? 'requires buffer_view;' : '',
    'struct Dims { m: u32, n: u32, k: u32 }',
    `@group(0) @binding(0) var<storage, read> a: array<${element}>;`,
    `@group(0) @binding(1) var<storage, read> b: array<${element}>;`,
    '@group(0) @binding(5) var<storage, read_write> out: array<f32>;',
    '@group(0) @binding(7) var<uniform> dims: Dims;',
    ...declarations,
    `@compute @workgroup_size(${32 * s.wm * s.wn})`,
    'fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u,',
    '@builtin(local_invocation_index) local: u32, @builtin(subgroup_id) warp: u32) {',
    'let index = wid.x + wid.y * groups.x;',
    `let tiles_m = dims.m / ${s.bm}u;`,
    `let tiles_n = dims.n / ${s.bn}u;`,
    'if (index >= tiles_m * tiles_n) { return; }',
    `let band = index / (${group}u * tiles_n);`,
    `let band_rows = min(tiles_m - band * ${group}u, ${group}u);`,
    `let within = index % (${group}u * tiles_n);`,
    `let row_base = (band * ${group}u + within % band_rows) * ${s.bm}u;`,
    `let col_base = within / band_rows * ${s.bn}u;`,
    `let warp_m = warp / ${s.wn}u;`,
    `let warp_n = warp % ${s.wn}u;`,
  ].join('\n');
}

/** The WGSL of a sketch. */
export function matrixSketch(s: MatrixSketch): string {
  if (s.mem === 'none') return direct(s);
  const without = (part: NonNullable<MatrixSketch['without']>[number]) => s.without?.includes(part) ?? false;
  const threads = 32 * s.wm * s.wn;
  const [tm, tn] = [s.bm / s.wm / 16, s.bn / s.wn / 16];
  const parts = { a: memory(s, 'a'), b: memory(s, 'b') };
  const line = s.bk / 8;
  const items = { a: (s.bm * line) / threads, b: (s.bn * line) / threads };
  const every = (run: (operand: 'a' | 'b', i: number) => string) =>
    (['a', 'b'] as const).flatMap((operand) => upTo(items[operand]).map((i) => run(operand, i)));
  const item = (i: number) => `(local + ${i * threads}u)`;
  const row = (i: number) =>
    s.apart ? `(${item(i)} / 32u * 8u + ${item(i)} / 8u % 4u + ${item(i)} / 4u % 2u * 4u)` : `(${item(i)} / ${line}u)`;
  const column = (i: number) => `(${item(i)} % ${line}u)`;
  const at = (operand: 'a' | 'b', i: number, k0: string) =>
    `((${operand === 'a' ? 'row' : 'col'}_base + ${row(i)}) * dims.k + ${k0}) / 8u + ${column(i)}`;
  const fetched = (operand: 'a' | 'b', i: number, k0: string) =>
    s.f32
      ? `packed(${operand}[(${at(operand, i, k0)}) * 2u], ${operand}[(${at(operand, i, k0)}) * 2u + 1u])`
      : `${operand}[${at(operand, i, k0)}]`;
  const fetch = (how: 'var ' | '', set: number, k0: string) =>
    every((operand, i) => `${how}f${set}_${operand}${i} = ${fetched(operand, i, k0)};`);
  const stage = (copy: number, set: number) =>
    every((operand, i) => parts[operand].put(copy, row(i), column(i), `f${set}_${operand}${i}`));
  const sum = (i: number, j: number) => (s.array ? `sums[${i}][${j}]` : `s${i}_${j}`);
  const left = (copy: number, kk: number | string) => (i: number) => `let x${i} = ${parts.a.take(copy, i, kk)};`;
  const right = (copy: number, kk: number | string) => (j: number) => `let y${j} = ${parts.b.take(copy, j, kk)};`;
  const multiply = (i: number, j: number) =>
    `${sum(i, j)} = subgroupMatrixMultiplyAccumulate(x${i}, y${j}, ${sum(i, j)});`;
  const products = (copy: number, kk: number | string, loads = true) => [
    ...(loads ? upTo(tm).map(left(copy, kk)) : []),
    ...(loads && !s.late ? upTo(tn).map(right(copy, kk)) : []),
    ...upTo(tn).flatMap((j) => [
      ...(loads && s.late ? [right(copy, kk)(j)] : []),
      ...upTo(tm).map((i) => multiply(i, j)),
    ]),
  ];
  const steps = (copy: number) => {
    const own = upTo(s.rolled ?? s.bk / 16);
    const body = own.flatMap((x) => ['{', ...products(copy, s.rolled ? `(kk + ${x}u)` : x, !without('load')), '}']);
    return s.rolled ? [`for (var kk = 0u; kk < ${s.bk / 16}u; kk += ${s.rolled}u) {`, ...body, '}'] : body;
  };
  const barrier = without('barrier') ? [] : ['workgroupBarrier();'];
  const global = !without('global');
  const sets = Math.max(1, s.ahead);
  const bodies = Math.max(sets, s.double ? 2 : 1);
  /** The step at k0 + x bk. */
  const one = (x: number) => {
    const [copy, set] = [s.double ? x % 2 : 0, x % sets];
    const next = global && s.ahead > 0 ? fetch('', set, `k0 + ${(x + s.ahead) * s.bk}u`) : [];
    return [
      '{',
      ...(s.ahead === 0 && global ? fetch('var ', set, `k0 + ${x * s.bk}u`) : []),
      ...(without('stage') ? [] : stage(copy, set)),
      ...(s.early ? next : []),
      ...barrier,
      ...(s.early ? [] : next),
      ...(without('multiply') ? [] : steps(copy)),
      ...(s.double ? [] : barrier),
      '}',
    ];
  };
  return [
    head(s, [
      parts.a.declare,
      parts.b.declare,
      ...(s.f32
        ? [
            'fn packed(x: vec4f, y: vec4f) -> vec4u {',
            'return vec4u(pack2x16float(x.xy), pack2x16float(x.zw), pack2x16float(y.xy), pack2x16float(y.zw)); }',
          ]
        : []),
    ]),
    ...(s.array
      ? [`var sums: array<array<${RESULT}, ${tn}>, ${tm}>;`]
      : upTo(tm).flatMap((i) => upTo(tn).map((j) => `var s${i}_${j} = ${RESULT}();`))),
    ...(s.ahead > 0 || !global ? upTo(sets).flatMap((set) => fetch('var ', set, `${set * s.bk}u`)) : []),
    ...(without('load') ? [...upTo(tm).map(left(0, 0)), ...upTo(tn).map(right(0, 0))] : []),
    `for (var k0 = 0u; k0 < dims.k; k0 += ${s.bk * bodies}u) {`,
    ...upTo(bodies).flatMap(one),
    '}',
    ...(without('multiply') ? ['workgroupBarrier();', ...products(0, 0)] : []),
    ...stores(tm, tn, sum),
    '}',
  ].join('\n');
}

type Base = Omit<MatrixSketch, 'name'>;
const PARTS: Base = { bm: 128, bn: 128, bk: 32, wm: 2, wn: 2, mem: 'parts', pad: 1, ahead: 1 };

const WIDE: Base = { ...PARTS, bm: 128, bn: 256, wm: 2, wn: 4 };
const DEEP: Base = { ...PARTS, bk: 64, rolled: 1 };

/** What the parts of a step take. */
const ABLATIONS: readonly Base['without'][] = [
  ['global'],
  ['global', 'stage'],
  ['global', 'stage', 'barrier'],
  ['global', 'stage', 'barrier', 'load'],
  ['multiply'],
  ['multiply', 'barrier'],
];

/** From naive to fast, one change at a time from the 128 x 128 x 32 tile of four subgroups. */
export const matrixSketches: readonly MatrixSketch[] = (
  [
    { bm: 16, bn: 16, bk: 16, wm: 1, wn: 1, mem: 'none', pad: 0, ahead: 0 },
    { bm: 128, bn: 128, bk: 16, wm: 2, wn: 2, mem: 'none', pad: 0, ahead: 0 },
    { ...PARTS, mem: 'f16' },
    { ...PARTS, mem: 'view' },
    { ...PARTS, mem: 'vec4u' },
    PARTS,
    { ...PARTS, word: 'vec2u' },
    { ...PARTS, array: true },
    { ...PARTS, pad: 0 },
    { ...PARTS, ahead: 0 },
    { ...PARTS, double: true },
    { ...PARTS, group: 8 },
    { ...PARTS, f32: true },
    { ...PARTS, wn: 4 },
    { ...PARTS, apart: true },
    { ...PARTS, apart: true, ahead: 2 },
    { ...PARTS, apart: true, early: true },
    { ...PARTS, apart: true, ahead: 2, early: true },
    { ...PARTS, apart: true, ahead: 2, double: true },
    { ...PARTS, apart: true, rolled: 1, ahead: 2 },
    { ...PARTS, bk: 48 },
    { ...PARTS, bk: 48, rolled: 1 },
    { ...PARTS, bk: 48, ahead: 2 },
    DEEP,
    { ...DEEP, early: true },
    { ...DEEP, rolled: 2 },
    { ...DEEP, ahead: 0 },
    { ...DEEP, ahead: 2 },
    { ...DEEP, group: 8 },
    { ...DEEP, f32: true },
    { ...DEEP, wn: 4 },
    { ...DEEP, bk: 96 },
    { ...DEEP, bk: 128 },
    { ...WIDE, apart: true },
    { ...WIDE, apart: true, ahead: 2 },
    { ...WIDE, bk: 48, rolled: 1 },
    { ...WIDE, bk: 48, rolled: 1, ahead: 2 },
    { ...WIDE, bk: 48, ahead: 2 },
    { ...WIDE, bk: 48, rolled: 1, group: 8 },
    { ...WIDE, bm: 256, bn: 128, wm: 4, wn: 2, bk: 48, rolled: 1, group: 4 },
    { ...WIDE, bk: 16, ahead: 2, double: true },
    { ...DEEP, bn: 64, wn: 1 },
    { ...DEEP, bm: 64, wm: 1 },
    { ...DEEP, bm: 64, bn: 64, wm: 1, wn: 1 },
    { ...DEEP, bm: 64, wm: 2, wn: 2 },
    { ...DEEP, bn: 64, wm: 2, wn: 2 },
    { ...DEEP, bm: 64, bn: 64 },
    ...ABLATIONS.map((without): Base => ({ ...PARTS, without })),
  ] satisfies Base[]
).map((knobs) => ({ ...knobs, name: nameOf(knobs) }));

function nameOf(s: Base): string {
  const flags = (['early', 'apart', 'double', 'array', 'late', 'f32'] as const).filter((flag) => s[flag]);
  return [
    `${s.bm}x${s.bn}x${s.bk} by ${s.wm}x${s.wn}`,
    s.mem,
    ...(s.word ? [s.word] : []),
    `pad ${s.pad}`,
    `ahead ${s.ahead}`,
    ...flags,
    ...(s.rolled ? [`rolled ${s.rolled}`] : []),
    ...(s.group ? [`group ${s.group}`] : []),
    ...(s.without ? [`without ${s.without.join(' ')}`] : []),
  ].join(', ');
}
