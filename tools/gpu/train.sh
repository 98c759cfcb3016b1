#!/bin/sh
# The default model's training on a machine with a GPU, from a packed set, in one go.
#
#     tools/gpu/train.sh PACK MN04 OUT [cuda|cuda:1|mps|cpu]      cpu rehearses it where there is no GPU
#
# PACK is the folder of `mmgat-train transfer pack --mib 60`, MN04 the published state dict, OUT takes the
# checkpoints: OUT/first before the onsets are learned, OUT/last after. The sizes below suit a card's quarter of an
# hour; PARTS=2 STEPS=20 EPOCHS=0.1 rehearses the whole. What is finished is kept in CACHE (a temporary folder unless
# given), so that a second call goes on. `mmgat-train export OUT/last/compact` makes the graphs, at home. It needs
# Python with torch, torchvision, onnx, onnxscript, onnxruntime, numpy, scipy, scikit-learn, soundfile, soxr,
# safetensors, msgspec, click and tqdm; no network.
set -e
pack=$1 mn04=$2 out=$3 device=${4:-cuda}
[ -n "$out" ] || { echo "expected PACK MN04 OUT [DEVICE]" >&2; exit 2; }
cache=${CACHE:-$(mktemp -d)} parts=${PARTS:-200} steps=${STEPS:-1500} epochs=${EPOCHS:-3}
root=$(cd "$(dirname "$0")/../.." && pwd)
names=$(mktemp -d)
trap 'rm -rf "$names"' EXIT
mkdir "$names/mmgat"
for room in model stream training; do ln -s "$root/$room" "$names/mmgat/$room"; done
PYTHONPATH=$names:$root${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
python=$(command -v python3 || command -v python)
train() {
    step=$1
    shift
    echo "== $step ($(date +%T))"
    "$python" -m mmgat.training.commands.train transfer "$step" --pack "$pack" --mn04 "$mn04" --cache "$cache" \
        --device "$device" "$@" 2>"$cache/$step.log" || { tail -n 5 "$cache/$step.log" >&2; exit 1; }
}
train features --parts "$parts" --validation-parts $((parts / 10 + 1))
train tail --steps "$steps"
train fit --no-graphs --epochs "$epochs" --out "$out/first"
train onsets --no-graphs --checkpoint "$out/first/compact.json" --parts "$parts" --more-parts "$parts" \
    --validation-parts $((parts / 20 + 1)) --steps "$steps" --out "$out/last"
ls -l "$out/first" "$out/last"
