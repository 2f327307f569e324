/** The flag of commands that are children of a host. */
export const UNTIL_STDIN_ENDS = {
  type: "boolean",
  about: "end when stdin does: for a parent that may be killed",
} as const;

/** Aborted by `stop`, or as soon as the other end of stdin is gone. */
export function untilStdinEnds(stop: AbortSignal): AbortSignal {
  const ended = new AbortController();
  void (async () => {
    for await (const _ of Bun.stdin.stream()) {
      // Nothing is said there.
    }
    ended.abort("SIGTERM");
  })();
  return AbortSignal.any([stop, ended.signal]);
}
