"""How every command of this package reads its command line: what is given twice is refused."""

from __future__ import annotations

from collections import Counter

import click


class Command(click.Command):
    """A command that takes an option of one value once only; click would take the last in silence."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Reads the arguments.

        Raises:
            click.UsageError: an option is given twice, or a word where only options are taken.
        """
        check_arguments(self, ctx, args)
        return super().parse_args(ctx, args)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command
    group_class = type

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Reads the arguments before the command's name.

        Raises:
            click.UsageError: an option is given twice.
        """
        check_arguments(self, ctx, args)
        return super().parse_args(ctx, args)


def check_arguments(command: click.Command, ctx: click.Context, args: list[str]) -> None:
    """Refuses what click takes without a word, or with one that does not help.

    Raises:
        click.UsageError: an option of one value is given twice, or a word where only options are taken.
    """
    _, rest, order = command.make_parser(ctx).parse_args(args=list(args))
    for parameter, n_times in Counter(order).items():
        if n_times > 1 and isinstance(parameter, click.Option) and takes_one_value(parameter):
            name = max(parameter.opts, key=len)
            raise click.UsageError(
                f"expected {name} once, found it {n_times} times: leave out all but one", ctx
            )
    if rest and not ctx.allow_extra_args:
        options = {name for parameter in command.params for name in parameter.opts}
        hint = f": for a file write --file {rest[0]}" if "--file" in options else ""
        raise click.UsageError(f"expected options, found {rest[0]!r}{hint}", ctx)


def takes_one_value(option: click.Option) -> bool:
    """Whether an option has one value: no flag, no counter, not one that is given several times."""
    return not (option.is_flag or option.count or option.multiple)
