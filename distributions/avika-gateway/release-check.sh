#!/usr/bin/env bash
# Builds the last commit twice, in folders of different names and lengths, the second time from an empty build cache, and
# compares every file of the release.
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"

commit=$(git rev-parse HEAD)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
for place in first another-folder/second; do
  echo "building $commit in $place"
  git clone --quiet . "$work/$place"
  git -C "$work/$place" checkout --quiet --detach "$commit"
  make --no-print-directory -C "$work/$place" release
  export GOCACHE="$work/cache"
done

diff "$work/first/bin/packages/SHA256SUMS" "$work/another-folder/second/bin/packages/SHA256SUMS"
for program in "$work"/first/bin/linux-*/*; do
  if grep -aqF "$work" "$program"; then echo "$program knows where it was built"; exit 1; fi
done
echo "the same, file by file"
