/**
 * `fetch` for a server of tools: no answer is larger than a service can hold. The stream on which a server could speak
 * without being asked is not opened; an answer that broke off may be taken up on one.
 * @param maximum bytes of one answer
 */
export const toolFetch =
  (maximum: number) =>
  async (input: string | URL, init?: RequestInit): Promise<Response> => {
    const { method = "GET", headers } = init ?? {};
    if (method === "GET" && !new Headers(headers).has("last-event-id"))
      return new Response(null, { status: 405 });
    const response = await fetch(input, init);
    if (response.body === null) return response;
    let size = 0;
    const body = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(part, controller) {
          size += part.length;
          if (size > maximum) controller.error(new Error(`it answers with more than ${maximum} bytes`));
          else controller.enqueue(part);
        },
      }),
    );
    return new Response(body, { status: response.status, headers: response.headers });
  };
