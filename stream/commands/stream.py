"""``mmgat-stream``: the options and what they exclude; nothing heavy is imported early."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from mmgat.stream.audio.file import FileSource
from mmgat.stream.audio.inputs import Input, parse_channels
from mmgat.stream.audio.source import AudioSource
from mmgat.stream.audio.stdin import PCM_FORMATS, StdinSource
from mmgat.stream.commands.config import configurable
from mmgat.stream.commands.options import HELP_NAMES, recognizer_options, report_user_errors
from mmgat.stream.errors import SettingsError
from mmgat.stream.settings import DEFAULT_ADDRESS, LivenessSettings, RecordSettings, StreamSettings


class _Listed(click.types.StringParamType):
    """Text of which there may be several: in the environment they are parted by semicolons."""

    envvar_list_splitter = ";"


@configurable
@click.command("mmgat-stream", context_settings=HELP_NAMES | {"max_content_width": 100})
@click.option(
    "-d",
    "--device",
    "devices",
    metavar="NAME|ID",
    multiple=True,
    type=_Listed(),
    help="Audio input: number, name or part of it; several times for several.",
)
@click.option("-l", "--list-devices", is_flag=True, help="Show the audio inputs and exit.")
@click.option(
    "--file",
    "files",
    metavar="PATH",
    multiple=True,
    type=_Listed(),
    help="Recognise an audio file; several times for several.",
)
@click.option("--stdin", "use_stdin", is_flag=True, help="Raw PCM from standard input.")
@click.option("--demo", is_flag=True, help="Recognise a bundled clip; no microphone needed.")
@click.option("-r", "--rate", type=int, help="Sampling rate in Hz (device, --stdin).")
@click.option(
    "-c",
    "--channels",
    default="",
    metavar="N|LIST",
    help="How many channels, or which: 2 or 1,3. They are mixed.",
)
@click.option(
    "--split",
    default="",
    metavar="N|LIST",
    help="Channels that are recognised each on its own: 4 or 1,2,5.",
)
@click.option(
    "--format",
    "pcm_format",
    default="s16le",
    show_default=True,
    type=click.Choice(list(PCM_FORMATS)),
    help="Sample format of --stdin.",
)
@click.option("-b", "--blocksize", type=int, default=0, help="Frames a device block (0: its own).")
@click.option(
    "--latency", default="low", show_default=True, help="Device latency: low, high or seconds."
)
@click.option(
    "--exit-on-loss", is_flag=True, help="End when the device is lost, instead of waiting for it."
)
@recognizer_options
@click.option(
    "--publish",
    default=DEFAULT_ADDRESS,
    show_default=True,
    metavar="ADDRESS|off",
    help="ZeroMQ address to publish on.",
)
@click.option(
    "--jsonl", default="", metavar="PATH|-", help="Add estimates and events as JSON lines."
)
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep sound around the events, and a log of them; nothing is kept otherwise.",
)
@click.option(
    "--record-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="GB",
    help="Disk for all recordings and logs in that folder; the oldest go.",
)
@click.option("--no-dashboard", is_flag=True, help="Print events instead of the dashboard.")
@click.option(
    "--speed",
    default="1",
    show_default=True,
    type=click.Choice(["1", "max"]),
    help="Pace of a file: real time or as fast as possible.",
)
@click.option("--diagnose", is_flag=True, help="Report on this machine, its devices and models.")
@click.version_option(package_name="mmgat-stream")
@report_user_errors
def main(
    devices: tuple[str, ...],
    list_devices: bool,
    files: tuple[str, ...],
    use_stdin: bool,
    demo: bool,
    rate: int | None,
    channels: str,
    split: str,
    pcm_format: str,
    blocksize: int,
    latency: str,
    exit_on_loss: bool,
    hop: float,
    nodes: int,
    model: str,
    weights: Path | None,
    compute: str,
    publish: str,
    jsonl: str,
    record: Path | None,
    record_limit: float,
    no_dashboard: bool,
    speed: str,
    diagnose: bool,
) -> int:
    """Recognise musical instruments live.

    Without --device, --file, --stdin or --demo the system's default input is used. Several inputs
    are recognised side by side. Results go to the dashboard, over ZeroMQ (mmgat-listen shows
    them), and to --jsonl.
    """  # fmt: skip
    if list_devices:
        from mmgat.stream.audio.device_list import list_devices as table

        click.echo(table())
        return 0
    settings = StreamSettings(hop_s=hop, nodes=nodes)
    if diagnose:
        from mmgat.stream.commands.diagnose import report

        for line in report(devices[0] if devices else None, model, weights, compute):
            click.echo(line)
        return 0
    if sum((bool(devices or files), use_stdin, demo)) > 1:
        raise SettingsError(
            "expected either --device and --file, or --stdin, or --demo; found several"
        )
    if demo:
        files = (str(demo_clip()),)
    if rate and files:
        raise SettingsError("--rate describes a device or --stdin, not a file")
    if speed == "max" and (devices or not files):
        raise SettingsError(
            "expected --speed max with --file or --demo: a device or pipe gives its own pace"
        )
    if channels and split and not use_stdin:
        raise SettingsError("expected --channels (mixed) or --split (each on its own), found both")
    mixdown_channels = parse_channels(channels) if channels and not split else ()
    split_channels = parse_channels(split) if split else ()
    sources: list[AudioSource] = [FileSource(Path(path), paced=speed != "max") for path in files]
    if use_stdin:
        if rate is None or not channels.isdigit():
            raise SettingsError(
                "expected --rate and a number of --channels with --stdin: raw PCM has no header"
            )
        sources.append(StdinSource(rate, int(channels), pcm_format, sys.stdin.fileno()))
    elif devices or not files:
        from mmgat.stream.audio.device import DeviceSource
        from mmgat.stream.audio.reconnect import ReconnectingSource

        liveness = LivenessSettings(exit_on_loss=exit_on_loss)
        highest = max((*mixdown_channels, *split_channels), default=None)
        for device in devices or (None,):
            inner = DeviceSource(device, rate, highest, blocksize, _latency(latency))
            sources.append(ReconnectingSource(inner, liveness))
    inputs = [Input(source, mixdown_channels, split_channels) for source in sources]

    from mmgat.stream.commands.session import Session, SessionOptions

    publish = "" if publish == "off" else publish
    wanted = not no_dashboard and jsonl != "-" and bool(publish)
    options = SessionOptions(
        model=model,
        weights=weights,
        compute=compute,
        publish=publish,
        jsonl=jsonl,
        dashboard=wanted and _has_terminal(use_stdin),
        record=RecordSettings(record, limit_gb=record_limit) if record else None,
    )
    return Session(inputs, settings, options).run()


def run() -> None:
    """The command as a process: when all is closed and said, it ends at once.

    Taking libraries apart, torch above all, would keep the interpreter for another second.
    """
    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)


def demo_clip() -> Path:
    """The bundled clip."""
    from importlib.resources import files

    return Path(str(files("mmgat.stream") / "demo" / "demo.ogg"))


def _latency(text: str) -> str | float:
    if text in ("low", "high"):
        return text
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"expected a latency of low, high or seconds, found {text!r}") from None


def _has_terminal(stdin_is_audio: bool) -> bool:
    """Whether a dashboard can draw and read keys."""
    keys = os.access("/dev/tty", os.R_OK) if stdin_is_audio else sys.stdin.isatty()
    return keys and sys.stdout.isatty() and sys.stderr.isatty()


if __name__ == "__main__":
    run()
