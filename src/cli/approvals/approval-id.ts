/** The argument of every command about one approval. */
export const APPROVAL = {
  name: "approval",
  label: "approval id",
  ids: "approval",
  about: "as `lightflow approvals list` shows it",
} as const;
