"""`ghostrouter route`: show routing decisions without a service, and check that they have not changed."""

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from ghostrouter.config import ServeFile
from ghostrouter.errors import ConfigError, InvalidRequest, RequestError


@click.command()
@click.argument("query", required=False)
@click.option("--config", type=click.Path(path_type=Path), default="serve_config.yaml", show_default=True)
@click.option("--file", "asked", type=click.Path(exists=True, path_type=Path), help="JSON lines with `query`")
@click.option("--expect", type=click.Path(path_type=Path), help="recorded decisions; any difference is an error")
@click.option("--record", type=click.Path(path_type=Path), help="write the decisions to a file, for a later --expect")
@click.option("--model", default="ghost/auto", show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.option("--set", "overrides", multiple=True, help="an override, such as router.l2.threshold=0.85")
def route(
    query: str | None,
    config: Path,
    asked: Path | None,
    expect: Path | None,
    record: Path | None,
    model: str,
    as_json: bool,
    overrides: tuple[str, ...],
) -> None:
    """Show which models would answer QUERY, and why. With --file and --expect: fail if a decision has changed."""
    from ghostrouter.cli.decider import decider  # transformers: seconds to import

    if (query is None) == (asked is None):
        raise click.UsageError("one of QUERY and --file is needed")
    try:
        graphs = ServeFile.load(config, overrides).graphs
        decide = decider(graphs[0], model)
        if query is not None:
            found = asyncio.run(decide(query))
            click.echo(json.dumps(found, ensure_ascii=False) if as_json else table(found))
            return
        decisions = [{"query": q, **_short(asyncio.run(decide(q)))} for q in _queries(asked or Path())]
        known = _decisions(expect) if expect else None
    except (ConfigError, RequestError) as error:
        raise click.ClickException(str(error)) from error
    lines = [json.dumps(d, ensure_ascii=False) for d in decisions]
    if record:
        record.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if known is None:
        click.echo(f"{len(lines)} decisions recorded" if record else "\n".join(lines))
        return
    changed = [(known.get(d["query"]), d) for d in decisions if known.get(d["query"]) != d]
    for before, after in changed:
        click.echo(f"{after['query']!r}\n  was {_line(before)}\n  is  {_line(after)}")
    click.echo(f"{len(changed)} of {len(decisions)} decisions have changed")
    if changed:
        raise SystemExit(1)


def table(found: dict[str, Any]) -> str:
    """Format a decision for people."""
    label = found["classification"]
    lines = [f"plan    {' -> '.join(found['plan'])}  ({found['plan_reason']})"]
    if label:
        lines.insert(0, f"task    {label['task']}  ({label['layer']}, {label['confidence']:.2f}: {label['reason']})")
        lines += [f"near    {n['similarity']:.2f}  {n['task']}: {n['utterance']}" for n in label["nearest"]]
    for candidate in found["candidates"]:
        terms = "  ".join(f"{k} {v:+.6f}" for k, v in candidate["terms"].items())
        lines.append(f"model   {candidate['model']:<24}{candidate['reason'] or terms}")
    cost = found["estimate"]
    lines.append(
        f"about   {cost['prompt_tokens']} + {cost['completion_tokens']} tokens, {cost['cost_usd']:.6f} US dollars"
    )
    return "\n".join(lines)


def _short(found: dict[str, Any]) -> dict[str, Any]:
    """The part of a decision that --expect compares."""
    label = found["classification"] or {}
    return {"task": label.get("task"), "layer": label.get("layer"), "plan": found["plan"]}


def _line(decision: dict[str, Any] | None) -> str:
    return f"{decision['task']} ({decision['layer']}): {' -> '.join(decision['plan'])}" if decision else "not known"


def _queries(path: Path) -> list[str]:
    return [_field(path, number, entry) for number, entry in _json_lines(path)]


def _field(path: Path, number: int, entry: Any) -> str:
    query = entry.get("query", entry.get("prompt")) if isinstance(entry, dict) else None
    if not isinstance(query, str):
        raise InvalidRequest(f"{path}:{number}: `query` is missing")
    return query


def _decisions(path: Path) -> dict[str, dict[str, Any]]:
    return {_field(path, number, entry): entry for number, entry in _json_lines(path)}


def _json_lines(path: Path) -> list[tuple[int, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return [(n, json.loads(line)) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: no JSON lines: {error}") from error
