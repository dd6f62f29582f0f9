#!/usr/bin/env bash
# Plates to profiles of their wells: every plate a job of GNU parallel's, then all plates together.
# A second run does nothing; after a failure or a kill, the same line goes on where it was.
#
#   RAW=path/to/images LAYOUT=path/to/layout.csv ./plates.sh     images in a folder per plate
#
# Unlike make and Snakemake a shell does not notice that a setting changed: give another OUT then.
set -euo pipefail

export RAW=${RAW:-raw/images}
export LAYOUT=${LAYOUT:-raw/layout.csv}
export PATTERN=${PATTERN:-'{plate}/{well}_s{site}_{channel}.tif'}
export NUCLEI=${NUCLEI:-DNA} # the channel that nuclei are found in
export OUT=${OUT:-out}
export CORES=${CORES:-1} # of each job
JOBS=${JOBS:-2}          # plates at once

# step OUTPUT COMMAND...: an output has its name only when it is complete, so that is what is asked
step() { [[ -e $1 ]] || "${@:2}" -o "$1" --resume -j "$CORES" --quiet > /dev/null; }

plate() {
  set -e
  local at=$OUT/$1
  mkdir -p "$at"
  step "$at/$1.ome.zarr" \
    cell-extract images "$RAW/$1/*" --pattern "$PATTERN" --layout "$LAYOUT"
  step "$at/nuclei.labels.ome.zarr" \
    cell-segment threshold "$at/$1.ome.zarr" -c "$NUCLEI"
  step "$at/features.parquet" \
    cell-feat measure "$at/nuclei.labels.ome.zarr" --images "$at/$1.ome.zarr"
  step "$at/normalized.parquet" \
    cell-feat normalize "$at/features.parquet"
}
export -f step plate

mkdir -p "$OUT"
find "$RAW" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort -V |
  parallel --jobs "$JOBS" --joblog "$OUT/jobs.tsv" plate

done=$OUT/profiles.parquet
if [[ ! -e $done || -n $(find "$OUT" -name normalized.parquet -newer "$done") ]]; then
  cell-feat aggregate "$OUT"/*/normalized.parquet --force --resume -o "$done"
fi
