#!/bin/sh
# Emoji from noise: pictures to latents, a model of many steps, one of two, and what they draw. See README.md; all goes to the folder $OUT.
set -eu
: "${UCGM:=npx ucgm}" "${OUT:=emoji}" "${EMOJI:=}" "${STEPS:=5000}" "${TUNE:=1500}" "${FEATURE_STEPS:=600}" "${IMAGES:=1800}" "${RUNS:=multi:20 few:2}"
here=$(dirname "$0")

node "$here/pictures.mjs" "$OUT/pictures" $EMOJI
$UCGM encode --data "$OUT/pictures/train" --vae taef2 --out "$OUT/latents"
$UCGM train --preset multistep --config "$here/multi.yaml" --data "$OUT/latents" --steps "$STEPS" --out "$OUT/multi"
$UCGM tune --from "$OUT/multi" --config "$here/few.yaml" --steps "$TUNE" --out "$OUT/few"
node "$here/features.mjs" "$OUT/pictures" "$OUT/features.safetensors" "$FEATURE_STEPS"

for run in $RUNS; do
  from=$OUT/${run%:*} steps=${run#*:}
  $UCGM sample --from "$from" --steps "$steps" --grid "$OUT/steps-$steps.png"
  # Against pictures that were held out, then against those it was trained on, with each sample's nearest.
  for part in held-out train; do
    $UCGM eval --from "$from" --steps "$steps" --images "$IMAGES" --data "$OUT/pictures/$part" --features "$OUT/features.safetensors" \
      --json "$OUT/$part-$steps.json" --nearest "$OUT/nearest-$part-$steps.png"
  done
done
