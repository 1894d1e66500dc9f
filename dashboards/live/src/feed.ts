/** The feed of the service: sessions, health, budgets. One connection, kept for the life of the page. */

import { backoff, events, request } from "./api";
import { perFrame } from "./dom";
import type { Budget, Health, Row } from "./types";

class Feed {
  readonly sessions = new Map<string, Row>();
  /** The ids that have changed since the last frame. Undefined: all. */
  private dirty: Set<string> | undefined;
  health: Health | undefined;
  budgets: Budget[] = [];
  budgetsError = "";
  caller: { key: string | null; admin: boolean } | undefined;
  connected = false;
  private listeners = new Set<(dirty: Set<string> | undefined) => void>();
  private abort = new AbortController();
  private readonly tell = perFrame(() => {
    const dirty = this.dirty;
    this.dirty = new Set();
    for (const listener of this.listeners) listener(dirty);
  });

  /** Call `listener` with the sessions that have changed, at most once per frame. Returns what stops it. */
  listen(listener: (dirty: Set<string> | undefined) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Begin anew, with another key perhaps. */
  restart(): void {
    this.abort.abort();
  }

  async run(): Promise<never> {
    for (let tries = 0; ; tries++) {
      this.abort = new AbortController();
      try {
        const response = await request("v1/live", { signal: this.abort.signal });
        for await (const event of events(response)) {
          tries = 0;
          this.take(event.name, JSON.parse(event.data));
        }
      } catch {
        // The loop comes back.
      }
      this.connected = false;
      this.tell();
      await backoff(tries);
    }
  }

  private take(name: string, data: any): void {
    this.connected = true;
    if (name === "caller") this.caller = data;
    else if (name === "health") this.health = data;
    else if (name === "budgets") {
      this.budgets = data.data ?? [];
      this.budgetsError = data.error?.message ?? "";
    } else if (name === "sessions") {
      if (data.reset) {
        this.sessions.clear();
        this.dirty = undefined;
      }
      for (const row of data.sessions as Row[]) {
        this.sessions.set(row.id, row);
        this.dirty?.add(row.id);
      }
    }
    this.tell();
  }
}

export const feed = new Feed();
