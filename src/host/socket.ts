import { fail, fromProblem } from "../base/errors.ts";
import { ACTING_HEADER, MEMBERS_TYPE } from "../gateway/index.ts";
import type { OutputOf, ServiceName } from "../service/index.ts";
import { service } from "../service/index.ts";

function hostGone(path: string, error: unknown, signal: AbortSignal | undefined): Error {
  if (signal?.aborted) return signal.reason as Error;
  return fail("unavailable", `the host on ${path} does not answer`, {
    hint: "is `lightflow up` still running?",
    cause: error,
  });
}

/** Call an operation of the host behind a socket. @throws Failure as the host answered, or `unavailable` */
export async function callSocket<Name extends ServiceName>(
  path: string,
  name: Name,
  input: Record<string, unknown>,
  signal?: AbortSignal,
  actingFor?: { readonly tenantId: string; readonly subject: string; readonly roles?: readonly string[] },
): Promise<OutputOf<Name>> {
  const operation = service[name];
  const rest: Record<string, unknown> = { ...input };
  const route = operation.path.replaceAll(/:([a-z_0-9]+)/g, (_, parameter: string) => {
    const value = encodeURIComponent(String(rest[parameter]));
    delete rest[parameter];
    return value;
  });
  const query = new URLSearchParams();
  const isGet = operation.method === "GET";
  if (isGet) {
    for (const [key, value] of Object.entries(rest)) if (value !== undefined) query.set(key, String(value));
  }
  let response: Response;
  try {
    response = await fetch(`http://localhost${route}${query.size > 0 ? `?${query}` : ""}`, {
      method: operation.method,
      unix: path,
      headers: {
        ...(isGet ? {} : { "content-type": operation.body === "bytes" ? MEMBERS_TYPE : "application/json" }),
        ...(actingFor === undefined ? {} : { [ACTING_HEADER]: JSON.stringify(actingFor) }),
      },
      ...(isGet ? {} : { body: JSON.stringify(rest) }),
      ...(signal === undefined ? {} : { signal }),
    } as RequestInit);
  } catch (error) {
    throw hostGone(path, error, signal);
  }
  const body: unknown = await response.json().catch((error: unknown) => {
    // An answer that breaks off is none.
    if (response.ok) throw hostGone(path, error, signal);
    return null;
  });
  if (!response.ok) throw fromProblem(response.status, body);
  return body as OutputOf<Name>;
}
