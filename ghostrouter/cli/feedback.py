"""`ghostrouter feedback` and `ghostrouter forget`: rate an answer, and delete what is kept of a caller."""

import sys
from typing import Any
from urllib.parse import quote

import click

from ghostrouter.cli import client, exits, show
from ghostrouter.cli.client import Refused, Service


@click.command(epilog=exits.TABLE)
@click.argument("session")
@click.option("--up", "thumb", flag_value="up", help="The answer is good.")
@click.option("--down", "thumb", flag_value="down", help="The answer is bad.")
@click.option("--rating", type=click.FloatRange(-1, 1), help="From -1 (bad) to 1 (good).")
@click.option("--label", help="A word for the answer, such as correct.")
@click.option("--correct-model", help="The model that should have answered.")
@click.option("--correct-task", help="The task that the prompt belongs to.")
@click.option("--preferred", help="A better answer; - reads it from standard input.")
@click.option("--comment", help="What you think of it, in words.")
@client.options
def feedback(url: str, api_key: str | None, as_json: bool, session: str, **told: Any) -> None:
    """Rate the answer of SESSION. New feedback replaces your earlier feedback on it.

    When the command ends with 0, the feedback is stored.
    """
    if told["preferred"] == "-":
        told["preferred"] = sys.stdin.read()
    body = {"session": session} | {name: value for name, value in told.items() if value is not None}
    if len(body) == 1:
        raise click.UsageError("Say something of the answer, such as --up or --down.")
    try:
        stored = Service(url, api_key).ask("POST", "/v1/feedback", ("id", "session"), body)
    except Refused as refusal:
        raise SystemExit(show.refused(refusal, as_json)) from None
    show.as_json(stored) if as_json else show.note(f"stored as {stored['id']}")


@click.command(epilog=exits.TABLE)
@click.argument("session", required=False)
@click.option("--all", "everything", is_flag=True, help="Everything that is kept of your key.")
@client.options
def forget(url: str, api_key: str | None, as_json: bool, session: str | None, everything: bool) -> None:
    """Delete what is kept of SESSION, or with --all of all your sessions: traces, requests, signals, feedback, jobs."""
    if (session is None) != everything:
        raise click.UsageError("Name a session, or use --all.")
    path = "/v1/traces" + (f"/{quote(session, safe='')}" if session else "")
    try:
        body = Service(url, api_key).ask("DELETE", path, ("deleted",))
    except Refused as refusal:
        raise SystemExit(show.refused(refusal, as_json)) from None
    show.as_json(body) if as_json else show.note(f"{body['deleted']} rows deleted")
