/** The positional of every command about one run. */
export const RUN_ID = {
  name: "run",
  label: "run id",
  ids: "run",
  about: "as `lightflow run list` shows it",
} as const;
