/** One answer as it is written: its tokens, its seams, its end. It comes back by itself after a broken connection. */

import { ApiError, backoff, events, request } from "./api";
import type { Ghost, Seam, Token } from "./types";

export type State = "waiting" | "writing" | "reconnecting" | "done" | "failed" | "stopped";

export class Answer {
  readonly tokens: Token[] = [];
  readonly seams: Seam[] = [];
  state: State = "waiting";
  id = "";
  error = "";
  ghost: Ghost | undefined;
  /** Called after every change. It may be called hundreds of times per second. */
  changed: () => void = () => {};
  private lastEvent = "";
  private readonly abort = new AbortController();

  constructor(readonly title: string) {}

  get text(): string {
    return this.tokens.map((t) => t.text).join("");
  }

  get over(): boolean {
    return this.state === "done" || this.state === "failed" || this.state === "stopped";
  }

  stop(): void {
    if (this.over) return;
    this.state = "stopped";
    this.abort.abort();
    this.changed();
  }

  /** Ask, and read to the end, over as many connections as it takes. */
  async run(path: string, body: unknown): Promise<void> {
    for (let tries = 0; !this.over; ) {
      try {
        const before = this.lastEvent;
        await this.read(path, body);
        if (this.lastEvent !== before) tries = 0;
        if (this.over) break;
      } catch (error) {
        if (this.over) break;
        const gone = error instanceof ApiError && error.status < 500;
        if (gone || !this.lastEvent) return this.fail(error);
      }
      if (!this.lastEvent) return this.fail(new Error("The connection broke before the answer began."));
      this.state = "reconnecting";
      this.changed();
      await backoff(tries++);
    }
  }

  private async read(path: string, body: unknown): Promise<void> {
    const signal = this.abort.signal;
    const again = { method: "POST", headers: { "last-event-id": this.lastEvent }, signal };
    const first = { method: "POST", body: JSON.stringify(body), signal };
    const response = this.lastEvent
      ? await request("v1/chat/completions", again)
      : await request(path, first);
    for await (const event of events(response)) {
      if (event.data === "[DONE]") return;
      this.take(JSON.parse(event.data), event.id);
    }
  }

  private take(chunk: any, id: string): void {
    if (id) this.lastEvent = id;
    if (chunk.error) return this.fail(new Error(chunk.error.message));
    this.id = chunk.id;
    this.state = "writing";
    const ghost = chunk.ghost;
    if (ghost?.seam) this.seams.push(ghost.seam);
    for (const token of ghost?.signals ?? []) {
      if (token.position < this.tokens.length) continue; // a part that came twice
      this.tokens.push(token);
    }
    if (chunk.choices?.[0]?.finish_reason) {
      this.ghost = ghost;
      this.state = "done";
    }
    this.changed();
  }

  private fail(error: unknown): void {
    this.error = error instanceof Error ? error.message : String(error);
    if (error instanceof ApiError && (error.status === 404 || error.status === 410))
      this.error = "The server was started anew and does not have this answer any more. What you see is all that came.";
    this.state = "failed";
    this.changed();
  }
}
