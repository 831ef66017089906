import type { VelocityNetwork, Weights } from '../nn/network.ts';
import { keepConstants, randomConstants } from '../nn/tables.ts';
import type { Workspace } from '../tensor/index.ts';

/** Puts saved numbers in the place of a network's random constants, on the host and on the device; those without any stay. */
export function takeConstants(
  { workspace, network, weights }: { workspace: Workspace; network: VelocityNetwork; weights: Weights },
  saved: (name: string) => Float32Array | undefined,
): void {
  keepConstants(network, saved);
  for (const [name, data] of randomConstants(network)) workspace.stream.write(weights.get(name), data);
}
