"""`ghostrouter promote` and `ghostrouter demote`: give the bandit more traffic, or less."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
import yaml

from ghostrouter.cli import client, reload
from ghostrouter.cli.stored import stored
from ghostrouter.errors import ConfigError

if TYPE_CHECKING:
    from ghostrouter.learn.promotion import Evidence

_CONFIG = click.Path(exists=True, dir_okay=False, path_type=Path)
_KEY = "router.bandit.stage"


@click.command()
@click.argument("config", type=_CONFIG, default="serve_config.yaml")
@click.option("--tolerance", default=0.01, show_default=True, help="Rewards (0 to 1) by which it may be worse.")
@click.option("--dry-run", is_flag=True, help="Only tell what the log says.")
@click.option("--json", "as_json", is_flag=True, help="Print the evidence as JSON.")
@click.option("--no-reload", is_flag=True, help="Change the file only; the service takes it at its next start.")
@click.option("--dashboard", envvar="RAY_DASHBOARD", default=reload.DASHBOARD, show_default=True)
@client.address
@click.pass_context
def promote(
    ctx: click.Context, /, config: Path, tolerance: float, dry_run: bool, as_json: bool, no_reload: bool, **where: str
) -> None:
    """Move the bandit one stage up in CONFIG and in the running service: shadow, share, all.

    It moves only if the rated traces of the event store show, by doubly robust off-policy evaluation with a 95%
    interval, that its choices are not worse than what has served.
    """
    from ghostrouter.learn.promotion import STAGES, evidence

    stage = _stage(config)
    if stage not in STAGES:
        raise click.ClickException(f"{_KEY} is `{stage}`: set it to `shadow` in {config}, and start the service again")
    found = evidence([e for e in stored(config) if e.kind in ("trace", "feedback")])
    _tell(found, as_json)
    refusal = found.refusal(tolerance) if found else "no session with a record of the bandit was rated"
    if refusal:
        raise click.ClickException(f"not promoted: {refusal}")
    if dry_run:
        return
    if stage == STAGES[-1]:
        raise click.ClickException("not promoted: it decides every request already")
    _move(ctx, config, STAGES[STAGES.index(stage) + 1], no_reload, where)


@click.command()
@click.argument("config", type=_CONFIG, default="serve_config.yaml")
@click.option("--no-reload", is_flag=True, help="Change the file only; the service takes it at its next start.")
@click.option("--dashboard", envvar="RAY_DASHBOARD", default=reload.DASHBOARD, show_default=True)
@client.address
@click.pass_context
def demote(ctx: click.Context, /, config: Path, no_reload: bool, **where: str) -> None:
    """Take the bandit back to the shadow, in CONFIG and in the running service: the rules decide again."""
    if _stage(config) not in ("share", "all"):
        raise click.ClickException(f"{_KEY} is `{_stage(config)}`: the rules decide already")
    _move(ctx, config, "shadow", no_reload, where)


def _tell(found: "Evidence | None", as_json: bool) -> None:
    if found is None:
        return
    if as_json:
        body = {
            "rated": found.rated, "served": found.served, "candidate": found.candidate.value,
            "gain": found.gain.value, "gain_low": found.gain.low, "gain_high": found.gain.high,
            "overlap": found.overlap,
        }  # fmt: skip
        click.echo(json.dumps(body))
        return
    click.echo(
        f"{found.rated} rated sessions: reward {found.served:.3f} as served, {found.candidate.value:.3f} by the bandit,"
        f" gain {found.gain.value:+.3f} [{found.gain.low:+.3f}, {found.gain.high:+.3f}]"
    )


def _move(ctx: click.Context, config: Path, stage: str, no_reload: bool, where: dict[str, str]) -> None:
    text = config.read_text(encoding="utf-8")
    config.write_text(with_value(text, _KEY, stage), encoding="utf-8")
    click.echo(f"{config}: {_KEY} is now {stage}", err=True)
    if no_reload:
        return
    try:
        ctx.invoke(reload.reload, config=str(config), overrides=(), timeout_s=30.0, **where)
    except click.ClickException:
        config.write_text(text, encoding="utf-8")
        click.echo(f"{config}: as it was before", err=True)
        raise


def _stage(config: Path) -> str:
    try:
        found = _scalar(config.read_text(encoding="utf-8"), _KEY)
    except ConfigError:
        return "off"
    return str(found.value)


def with_value(text: str, key: str, value: str) -> str:
    """The text of a configuration with another value of a key of GhostRouter. All else stays, comments too.

    Raises:
        ConfigError: the text does not have the key.
    """
    found = _scalar(text, key)
    return text[: found.start_mark.index] + value + text[found.end_mark.index :]


def _scalar(text: str, key: str) -> yaml.ScalarNode:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"this is no YAML: {error}") from error
    applications = _child(root, "applications")
    for application in applications.value if isinstance(applications, yaml.SequenceNode) else ():
        node = _child(application, "args")
        for name in key.split("."):
            node = _child(node, name)
        if isinstance(node, yaml.ScalarNode):
            return node
    raise ConfigError(f"{key} is missing")


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == name), None)
    return None
