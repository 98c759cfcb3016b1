"""``mmgat-proxy``: several engines as one."""

from __future__ import annotations

import threading
from pathlib import Path

import click

from mmgat.model.command_line import Command
from mmgat.stream.bus.access.keys import ClientKeys, KeyPair, ServerKeys, read_pair, read_public
from mmgat.stream.commands.options import HELP_NAMES, report_user_errors
from mmgat.stream.commands.process.signals import ending_signals
from mmgat.stream.errors import SettingsError
from mmgat.stream.proxy.relay import Relay, Upstream

DEFAULT_ADDRESS = "tcp://127.0.0.1:5570"
_FILE = click.Path(path_type=Path)


@click.command("mmgat-proxy", cls=Command, context_settings=HELP_NAMES)
@click.option(
    "--connect",
    "engines",
    multiple=True,
    required=True,
    metavar="[NAME=]ADDRESS",
    help="Where an engine publishes; several times for several.",
)
@click.option(
    "--publish",
    metavar="ADDRESS",
    default=DEFAULT_ADDRESS,
    show_default=True,
    help="Where to publish what they say.",
)
@click.option(
    "--key", type=_FILE, metavar="FILE", help="The proxy's secret key, for engines and for readers."
)
@click.option(
    "--server-key",
    "server_keys",
    type=_FILE,
    multiple=True,
    metavar="FILE",
    help="The engines' public keys, in the order of --connect; one is that of all.",
)
@click.option("--clients", type=_FILE, metavar="DIR", help="Folder with the readers' public keys.")
@click.option("--insecure", is_flag=True, help="Other machines may read without keys.")
@click.version_option(package_name="mmgat-stream")
@report_user_errors
def main(
    engines: tuple[str, ...],
    publish: str,
    key: Path | None,
    server_keys: tuple[Path, ...],
    clients: Path | None,
    insecure: bool,
) -> int:
    """Bring several engines to one dashboard, one bridge, one logger.

    Readers connect to the proxy as to an engine. Sources are called "NAME: SOURCE"; without a name
    an engine is called by the host in its address, or host and port where several share one.
    """  # fmt: skip
    own = read_pair(key) if key else None
    upstreams = upstreams_of(engines, own, server_keys)
    if clients is not None and own is None:
        raise SettingsError(
            "expected --key with --clients, found none: the proxy needs its own key"
        )
    served = ServerKeys.read(key, clients) if key and clients else None
    quit_ = threading.Event()
    with ending_signals(quit_):
        relay = Relay(upstreams, publish, served, insecure=insecure, say=_say)
        try:
            names = ", ".join(upstream.name for upstream in upstreams)
            _say(f"{names}: publishing on {relay.publisher.address}")
            if relay.publisher.security == "none":
                _say("anybody who reaches it may read, and nothing is encrypted (--insecure)")
            relay.start()
            quit_.wait()
        finally:
            relay.close()
    return 0


def upstreams_of(
    engines: tuple[str, ...], own: KeyPair | None, server_keys: tuple[Path, ...]
) -> list[Upstream]:
    """The engines that the options name.

    Raises:
        SettingsError: a name twice, or keys that do not fit together.
    """
    if server_keys and own is None:
        raise SettingsError("expected --key with --server-key, found none: engines know you by it")
    if len(server_keys) not in (0, 1, len(engines)):
        raise SettingsError(
            f"expected one --server-key, or one for each of {len(engines)} engines, found "
            f"{len(server_keys)}"
        )
    pairs = [_named(text) for text in engines]
    hosts = [_host(address) for _, address in pairs]
    found = []
    for n, (name, address) in enumerate(pairs):
        keys = None
        if own is not None and server_keys:
            keys = ClientKeys(own, read_public(server_keys[n % len(server_keys)]))
        short = hosts[n] if hosts.count(hosts[n]) == 1 else address.partition("://")[2]
        found.append(Upstream(name or short.replace("/", "-"), address, keys))
    names = [upstream.name for upstream in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SettingsError(
            f"expected engines with different names, found {twice!r} twice: --connect NAME=ADDRESS"
        )
    return found


def _named(text: str) -> tuple[str, str]:
    name, equals, address = text.partition("=")
    return (name.strip(), address) if equals and "://" not in name else ("", text)


def _host(address: str) -> str:
    rest = address.partition("://")[2]
    return rest.rpartition(":")[0] if address.startswith("tcp://") else rest


def _say(text: str) -> None:
    click.echo(f"mmgat-proxy: {text}", err=True)


if __name__ == "__main__":
    from mmgat.stream.commands import entry

    entry.proxy()
