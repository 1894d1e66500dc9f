/** Talks to the service. All addresses are relative to the page, so it works behind any path prefix. */

const KEY = "ghostrouter.key";
let ask: (() => Promise<void>) | undefined;

/** What asks the user for a key, when the service wants one. */
export function onKeyNeeded(asker: () => Promise<void>): void {
  ask = asker;
}

export const key = (): string => sessionStorage.getItem(KEY) ?? "";

/** Keep the key for this tab only. */
export function setKey(value: string): void {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

let asking: Promise<void> | undefined;

/** Fetch. Without a valid key, the user is asked for one, and the request is sent again. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    const headers = new Headers(init.headers);
    if (key()) headers.set("authorization", `Bearer ${key()}`);
    if (init.body) headers.set("content-type", "application/json");
    const response = await fetch(`../${path}`, { ...init, headers });
    if (response.ok) return response;
    if (response.status === 401 && ask) {
      asking ??= ask().finally(() => (asking = undefined));
      await asking;
      continue;
    }
    throw new ApiError(response.status, await message(response));
  }
}

async function message(response: Response): Promise<string> {
  try {
    const body = await response.json();
    return body.error?.message ?? response.statusText;
  } catch {
    return `${response.status} ${response.statusText}`;
  }
}

export async function get<T>(path: string): Promise<T> {
  return (await request(path)).json();
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  return (await request(path, { method: "POST", body: JSON.stringify(body) })).json();
}

export interface ServerEvent {
  id: string;
  name: string;
  data: string;
}

/** The server-sent events of a response. (`EventSource` can send neither a key nor a body.) */
export async function* events(response: Response): AsyncGenerator<ServerEvent> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop()!;
      for (const block of blocks) {
        const event = { id: "", name: "", data: "" };
        for (const line of block.split("\n")) {
          if (line.startsWith("data: ")) event.data += line.slice(6);
          else if (line.startsWith("id: ")) event.id = line.slice(4);
          else if (line.startsWith("event: ")) event.name = line.slice(7);
        }
        if (event.data) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Wait, longer each time, with some chance in it so that a thousand pages do not come back at once. */
export function backoff(tries: number): Promise<void> {
  const most = Math.min(5000, 250 * 2 ** tries);
  return new Promise((done) => setTimeout(done, most * (0.5 + Math.random() / 2)));
}
