import { mergeConfig, type PartialConfig, type RunConfig } from './settings.ts';

/**
 * The settings by which a trained model is tuned: a recipe's, over the model, its data and its transport.
 * @param before of the model that is tuned. @param given what differs, later ones win.
 * @param where these come from, for errors. @throws ConfigError.
 */
export function tuningConfig(
  recipe: PartialConfig,
  before: RunConfig,
  given: readonly PartialConfig[],
  where: string,
): RunConfig {
  const two = recipe.model?.two_times === true; // what a second time needs is not in the weights, and starts without effect
  const { transport_type } = before.transport;
  const own = {
    model: { ...before.model, ...(two && { two_times: true }) },
    data: before.data,
    transport: { transport_type },
  } as PartialConfig;
  return mergeConfig(where, recipe, own, ...given, { transport: { transport_type } } as PartialConfig);
}
