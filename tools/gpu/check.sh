#!/bin/sh
# On a machine with a GPU: tests, equality with the CPU, latency, channels in real time; one table at the end.
#
#     tools/gpu/check.sh [cuda|cuda:1|mps|cpu]      cpu rehearses it where there is no GPU
#
# It needs Python with torch, onnxruntime, onnx, numpy, msgspec, click, tqdm, pyzmq, soundfile, soxr, safetensors,
# threadpoolctl and, for the tests, pytest and hypothesis; no network. It takes less than eight minutes: what is
# late is stopped and named. PATIENCE=4 waits four times as long, on a machine that has other work.
device=${1:-cuda}
cd "$(dirname "$0")/../.." || exit 1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/mmgat"
for room in model stream training; do ln -s "$PWD/$room" "$folder/mmgat/$room"; done
PYTHONPATH=$folder:$PWD${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
failed=0
run() {
    name=$1 seconds=$2
    shift 2
    echo "== $name"
    seconds=$((seconds * ${PATIENCE:-1}))
    timeout "$seconds" "$@" >"$folder/$name" 2>&1
    code=$?
    cat "$folder/$name"
    [ $code -eq 124 ] && echo "stopped after $seconds s" | tee -a "$folder/$name"
    [ $code -eq 0 ] || failed=1
}
python=$(command -v python3 || command -v python)
[ "$device" = cpu ] && marked="not gpu" || marked=gpu
run equality 60 "$python" -m tools.gpu.equality "$device"
run tests 110 "$python" -m pytest -q -p no:cacheprovider -o addopts="" \
    -W ignore::pytest.PytestConfigWarning -m "$marked" tests/model/backends \
    tests/model/embedders/test_torch_front_ends.py tests/stream/recognition/test_recognizer.py
run profile 40 "$python" -m tools.benchmark profile --compute "$device"
run latency 60 "$python" -m tools.benchmark many --compute "$device"
run streams 200 "$python" -m tools.benchmark streams --compute "$device"
echo
echo "| check | result |"
echo "| --- | --- |"
for name in equality tests profile latency streams; do
    last=$(grep -v -e '^$' -e '^  ' -e '%\]$' -e Warning "$folder/$name" | tail -n 2 | tr '\n' ';' | cut -c 1-220)
    echo "| $name | $last |"
done
exit $failed
