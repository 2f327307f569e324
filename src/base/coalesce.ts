/**
 * A function that runs `work` one at a time: asked while it runs, it runs once more afterwards, however often it was asked.
 * `work` handles its own errors.
 */
export function coalesce(work: () => Promise<void>): () => void {
  let working = false;
  let again = false;
  const run = (): void => {
    if (working) {
      again = true;
      return;
    }
    working = true;
    void work().finally(() => {
      working = false;
      if (again) {
        again = false;
        run();
      }
    });
  };
  return run;
}
