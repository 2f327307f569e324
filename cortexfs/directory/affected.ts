/**
 * Which directories have to be written out again. A request touches its own and the counters; a setting may touch anything
 * that is computed from it.
 * @param paths those of the tree that have changed
 * @returns null for the whole tree
 */
export function affectedBy(paths: readonly string[]): ReadonlySet<string> | null {
  const directories = new Set<string>();
  for (const path of paths) {
    const request =
      /^(home\/\d+\/(?:api\/[^/]+|thread\/[^/]+|batch)|tool\/[^/]+|agent\/[^/]+|provider)$/.exec(path);
    if (request !== null) directories.add(request[1]!);
    else if (path.endsWith("events.jsonl")) directories.add(path.slice(0, path.lastIndexOf("/")));
    else return null;
  }
  return directories.add("control");
}
