// Requests to the server that served this page.

/** What the server said no with, or that it could not be reached (status 0). */
export class ServerError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** The context is too small: tokens found, and room for them. */
    readonly overflow?: { found: number; room: number },
  ) {
    super(message);
  }
}

let apiKey = "";

export function setApiKey(key: string): void {
  apiKey = key;
}

/** Fails with a ServerError unless the answer is 2xx, and with an AbortError when `signal` says stop. */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (apiKey !== "") headers.set("Authorization", `Bearer ${apiKey}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, cache: "no-store" });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ServerError(0, "The server cannot be reached.");
  }
  if (!response.ok) throw await readError(response);
  return response;
}

async function readError(response: Response): Promise<ServerError> {
  const said: unknown = await response.json().catch(() => undefined);
  const error = (said as { error?: Record<string, unknown> } | undefined)?.error ?? {};
  const message = typeof error.message === "string" ? error.message : `The server answered ${response.status}.`;
  const { n_prompt_tokens: found, n_ctx: room } = error;
  return typeof found === "number" && typeof room === "number"
    ? new ServerError(response.status, message, { found, room })
    : new ServerError(response.status, message);
}

export async function askJson(path: string): Promise<unknown> {
  return (await ask(path)).json();
}
