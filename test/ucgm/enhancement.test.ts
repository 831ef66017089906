import { describe, expect, it } from 'vitest';
import { consistencyCoefficients, ROW } from '../../src/ucgm/consistency.ts';
import { styleOf } from '../../src/ucgm/enhancement.ts';
import { type EnhancedStyle, OBJECTIVE_DEFAULTS, type ObjectiveOptions } from '../../src/ucgm/options.ts';
import { multiStepCoefficients } from '../../src/ucgm/targets.ts';
import { TRANSPORTS, type TransportName } from '../../src/ucgm/transport.ts';

/** One sample of one number: data, noise, and the velocities of A and B there. */
const [X, Z, FA, FB] = [0.7, -1.3, 0.4, 2.1];

/** x* and z* as the method states them, from predictions instead of velocities. */
function stated(name: TransportName, style: EnhancedStyle, zeta: number, t: number, where: 'in' | 'out' | 'dropped') {
  const { a, g, da, dg } = TRANSPORTS[name];
  const den = a(t) * dg(t) - g(t) * da(t);
  const xt = a(t) * Z + g(t) * X;
  const hats = (f: number) => [(f * a(t) - xt * da(t)) / den, (xt * dg(t) - f * g(t)) / den] as const;
  const ofA = hats(FA);
  const ofB = style === 'fc-vs-xz' ? ([X, Z] as const) : hats(FB);
  return [X, Z].map((star, i) => {
    const [wc, woc] = [ofA[i] as number, ofB[i] as number];
    if (where === 'dropped') return (star + woc) / 2;
    return where === 'in' ? star + zeta * (wc - woc) : (star + wc) / 2;
  }) as [number, number];
}

describe('the enhanced target', () => {
  const styles = ['ft-vs-fe', 'fc-vs-xz', 'fc-vs-fe'] as const;
  for (const enhanced_style of styles)
    for (const transport_type of ['Linear', 'TrigFlow', 'EDM'] as const)
      for (const [where, t, dropped] of [
        ['in', 0.3, 0],
        ['out', 0.9, 0],
        ['dropped', 0.3, 1],
      ] as const)
        it(`${enhanced_style}, ${transport_type}, ${where}: the combination of velocities is the stated one`, () => {
          const { da, dg } = TRANSPORTS[transport_type];
          const options: ObjectiveOptions = {
            ...OBJECTIVE_DEFAULTS,
            enhanced_style,
            transport_type,
            enhanced_ratio: 0.6,
            lab_drop_ratio: dropped,
          };
          const [x, z] = stated(transport_type, enhanced_style, 0.6, t, where);
          const { target } = multiStepCoefficients(options, [t]);
          const [cx, cz, ca, cb] = target as unknown as [number, number, number, number];
          expect(cx * X + cz * Z + ca * FA + cb * FB).toBeCloseTo(da(t) * z + dg(t) * x, 4);
          const { rows } = consistencyCoefficients({ ...options, consistc_ratio: 1 }, [t]);
          const from = (at: number) =>
            [X, Z, FA, FB].reduce((sum, value, i) => sum + value * (rows[at + i] as number), 0);
          expect(from(ROW.x)).toBeCloseTo(x, 4);
          expect(from(ROW.z)).toBeCloseTo(z, 4);
        });

  it('takes the style that the reference takes where none is named, and zeta above 1 at lambda 0 as it does', () => {
    expect(styleOf(OBJECTIVE_DEFAULTS)).toBe('ft-vs-fe');
    expect(styleOf({ ...OBJECTIVE_DEFAULTS, consistc_ratio: 0.5 })).toBe('fc-vs-xz');
    const at = (enhanced_ratio: number) =>
      multiStepCoefficients({ ...OBJECTIVE_DEFAULTS, enhanced_ratio, lab_drop_ratio: 0 }, [0.3]).target;
    expect(at(4)).toEqual(at(0.75));
  });
});
